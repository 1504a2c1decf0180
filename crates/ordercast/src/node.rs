//! The name of this node: drawn at its first start and kept in the data directory.
//!
//! It is not the host's: hosts are renamed, and containers share images. A copy of a data directory has the same name, so
//! two nodes on one store must each have a directory of their own; a second living one of a name is refused.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use ordercast_store::StoreError;

/// The file in the data directory.
const FILE: &str = "ordercast.node";
/// Longest name that is taken, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// Reads the name, or draws one.
///
/// # Errors
/// [`StoreError::Failed`] when the file cannot be read or written, or holds no name.
pub(crate) fn name(data_dir: &Path) -> Result<Arc<str>, StoreError> {
    let path = data_dir.join(FILE);
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        StoreError::Failed(format!("cannot {what} the node's name in {}: {error}", path.display()))
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => check(text.trim()).map_err(|error| failed("take", &error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let drawn = format!("n_{:016x}", RandomState::new().hash_one(std::process::id()));
            keep(&path, &drawn).map_err(|error| failed("keep", &error))?;
            Ok(drawn.into())
        }
        Err(error) => Err(failed("read", &error)),
    }
}

fn check(name: &str) -> Result<Arc<str>, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    match name.len() {
        1..=MAX_NAME_BYTES if name.chars().all(is_plain) => Ok(name.into()),
        _ => Err(format!(
            "a name has 1 to {MAX_NAME_BYTES} letters, digits, dots, dashes or underscores; remove the file to have another drawn"
        )),
    }
}

/// Written whole and under another name first, so that a crash leaves either no name or this one.
fn keep(path: &Path, name: &str) -> std::io::Result<()> {
    let next = path.with_extension("node.next");
    let mut file = std::fs::File::create(&next)?;
    writeln!(file, "{name}")?;
    file.sync_all()?;
    std::fs::rename(&next, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_drawn_once() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = name(one.path()).unwrap();
        assert_eq!((name(one.path()).unwrap(), first.len()), (Arc::clone(&first), 18));
        assert_ne!(name(other.path()).unwrap(), first);
        for (text, is_taken) in [("kitchen-2\n", true), ("", false), ("a b", false), ("../x", false)] {
            std::fs::write(one.path().join(FILE), text).unwrap();
            assert_eq!(name(one.path()).is_ok(), is_taken, "{text:?}");
        }
        let Err(StoreError::Failed(why)) = name(one.path()) else { panic!("it is no name") };
        assert!(why.contains(FILE) && why.contains("remove the file"), "{why}");
    }
}
