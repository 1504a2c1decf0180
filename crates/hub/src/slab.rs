//! A table with keys that are never mistaken for one another, even when a place is used again.

/// Names a value for as long as it is in the table, and nothing afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// The key as a number, for a poll token.
    pub(crate) fn to_u64(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// The key of a number.
    pub(crate) fn from_u64(number: u64) -> Self {
        Self { index: number as u32, generation: (number >> 32) as u32 }
    }
}

struct Place<T> {
    generation: u32,
    /// Boxed, so that the table grows by a pointer and a value can be lifted out while it is worked on.
    value: Option<Box<T>>,
}

/// The table.
pub(crate) struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn insert(&mut self, value: Box<T>) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: 0, value: None });
            (self.places.len() - 1) as u32
        });
        let place = &mut self.places[index as usize];
        place.value = Some(value);
        Key { index, generation: place.generation }
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.place(key)?.value.as_deref_mut()
    }

    /// Lifts a value out for a while; the key stays good for [`Slab::restore`] or [`Slab::remove`].
    pub(crate) fn lift(&mut self, key: Key) -> Option<Box<T>> {
        self.place(key)?.value.take()
    }

    /// Puts a lifted value back.
    pub(crate) fn restore(&mut self, key: Key, value: Box<T>) {
        if let Some(place) = self.place(key) {
            place.value = Some(value);
        }
    }

    /// Ends the key.
    pub(crate) fn remove(&mut self, key: Key) -> Option<Box<T>> {
        let place = self.place(key)?;
        place.generation = place.generation.wrapping_add(1);
        let value = place.value.take();
        self.free.push(key.index);
        value
    }

    /// The keys in use.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.places
            .iter()
            .zip(0..)
            .filter(|(place, _)| place.value.is_some())
            .map(|(place, index)| Key { index, generation: place.generation })
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    fn place(&mut self, key: Key) -> Option<&mut Place<T>> {
        self.places.get_mut(key.index as usize).filter(|place| place.generation == key.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_outlives_its_value_in_vain() {
        let mut slab = Slab::new();
        let first = slab.insert(Box::new('a'));
        assert_eq!(slab.remove(first), Some(Box::new('a')));
        let second = slab.insert(Box::new('b'));
        assert_ne!(first, second);
        assert_eq!(slab.get_mut(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get_mut(Key::from_u64(second.to_u64())), Some(&mut 'b'));
        assert_eq!((slab.len(), slab.keys().count()), (1, 1));
    }
}
