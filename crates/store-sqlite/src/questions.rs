//! Questions that wait for a reader: bounded, and fair between kinds.
//!
//! A kind cannot keep the others waiting: the readers take from the lanes in turn, and one reader is always left for
//! what is quick. Each connection asks one thing at a time, so within a lane the order in which they came is fair.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

/// Most questions of one lane that wait; beyond it they are refused.
const MAX_WAITING: usize = 4_096;

/// What a reader is asked.
pub(crate) trait Question: Send {
    /// Whether nobody waits for the answer any more.
    fn is_given_up(&self) -> bool;

    /// Reads and answers.
    fn answer(self: Box<Self>, connection: &mut Connection);
}

/// Kinds of questions, by how long they take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// A few rows by their keys.
    Quick,
    /// Lists of orders, the catalogue.
    List,
    /// Pages of logs.
    Page,
}

const LANES: usize = 3;

struct Waiting {
    lanes: [VecDeque<Box<dyn Question>>; LANES],
    /// Whether the last question that was taken was quick.
    was_quick: bool,
    /// The slow lane that was taken from last.
    last_slow: Lane,
    /// Readers that answer something that is not quick.
    slow: usize,
    /// Most of them.
    most_slow: usize,
    is_closed: bool,
}

/// The questions, shared by those who ask and the readers.
pub(crate) struct Questions {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

impl Questions {
    pub(crate) fn new(readers: usize) -> Self {
        let waiting = Waiting {
            lanes: Default::default(),
            was_quick: false,
            last_slow: Lane::Page,
            slow: 0,
            // With one reader there is none to spare.
            most_slow: readers.saturating_sub(1).max(1),
            is_closed: false,
        };
        Self { waiting: Mutex::new(waiting), arrived: Condvar::new() }
    }

    /// Queues a question; false when too many of its kind wait.
    pub(crate) fn ask(&self, lane: Lane, question: Box<dyn Question>) -> bool {
        let mut waiting = self.lock();
        let queue = &mut waiting.lanes[lane as usize];
        if queue.len() >= MAX_WAITING {
            queue.retain(|question| !question.is_given_up());
        }
        if queue.len() >= MAX_WAITING || waiting.is_closed {
            return false;
        }
        waiting.lanes[lane as usize].push_back(question);
        drop(waiting);
        self.arrived.notify_one();
        true
    }

    /// Answers questions until there is nobody left to ask.
    pub(crate) fn serve(&self, connection: &mut Connection) {
        while let Some((lane, question)) = self.next() {
            if !question.is_given_up() {
                question.answer(connection);
            }
            if lane != Lane::Quick {
                self.lock().slow -= 1;
                // Another reader may have left a slow one for want of a place.
                self.arrived.notify_one();
            }
        }
    }

    fn next(&self) -> Option<(Lane, Box<dyn Question>)> {
        let mut waiting = self.lock();
        loop {
            if let Some(next) = waiting.take() {
                return Some(next);
            }
            if waiting.is_closed {
                return None;
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends the readers, and drops what waits.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        waiting.lanes = Default::default();
        drop(waiting);
        self.arrived.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// The next question: quick and slow ones take turns, and so do the slow lanes among themselves.
    fn take(&mut self) -> Option<(Lane, Box<dyn Question>)> {
        let next = match self.was_quick {
            true => self.take_slow().or_else(|| self.take_quick()),
            false => self.take_quick().or_else(|| self.take_slow()),
        };
        self.was_quick = next.as_ref().is_some_and(|(lane, _)| *lane == Lane::Quick);
        next
    }

    fn take_quick(&mut self) -> Option<(Lane, Box<dyn Question>)> {
        let question = self.lanes[Lane::Quick as usize].pop_front()?;
        Some((Lane::Quick, question))
    }

    fn take_slow(&mut self) -> Option<(Lane, Box<dyn Question>)> {
        if self.slow >= self.most_slow {
            return None;
        }
        let turns = match self.last_slow {
            Lane::List => [Lane::Page, Lane::List],
            Lane::Page | Lane::Quick => [Lane::List, Lane::Page],
        };
        let (lane, question) =
            turns.into_iter().find_map(|lane| Some((lane, self.lanes[lane as usize].pop_front()?)))?;
        self.last_slow = lane;
        self.slow += 1;
        Some((lane, question))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    struct Named {
        name: &'static str,
        is_given_up: Arc<AtomicBool>,
        answered: Arc<Mutex<Vec<&'static str>>>,
    }

    impl Question for Named {
        fn is_given_up(&self) -> bool {
            self.is_given_up.load(Ordering::Relaxed)
        }

        fn answer(self: Box<Self>, _connection: &mut Connection) {
            self.answered.lock().unwrap().push(self.name);
        }
    }

    fn named(name: &'static str, answered: &Arc<Mutex<Vec<&'static str>>>) -> (Arc<AtomicBool>, Box<dyn Question>) {
        let is_given_up = Arc::new(AtomicBool::new(false));
        let question = Named { name, is_given_up: Arc::clone(&is_given_up), answered: Arc::clone(answered) };
        (is_given_up, Box::new(question))
    }

    #[test]
    fn lanes_take_turns_and_one_reader_is_left_for_what_is_quick() {
        let questions = Questions::new(2);
        let answered = Arc::default();
        for (lane, name) in [
            (Lane::List, "list 1"),
            (Lane::List, "list 2"),
            (Lane::Page, "page 1"),
            (Lane::Quick, "quick 1"),
            (Lane::Quick, "quick 2"),
        ] {
            assert!(questions.ask(lane, named(name, &answered).1));
        }
        let mut connection = Connection::open_in_memory().unwrap();
        // One reader has a list: the other gets nothing slow, whatever waits.
        let mut next = |expected: Lane| {
            let (lane, question) = questions.next().expect("a question");
            assert_eq!(lane, expected);
            question.answer(&mut connection);
        };
        [Lane::Quick, Lane::List, Lane::Quick].into_iter().for_each(&mut next);
        assert!(questions.lock().take().is_none(), "only slow ones are left, and one is being answered");
        questions.lock().slow -= 1;
        next(Lane::Page);
        questions.lock().slow -= 1;
        next(Lane::List);
        assert_eq!(*answered.lock().unwrap(), ["quick 1", "list 1", "quick 2", "page 1", "list 2"]);
    }

    #[test]
    fn a_lane_is_bounded_and_those_who_gave_up_leave_room() {
        let questions = Questions::new(1);
        let answered = Arc::default();
        let mut waiting = Vec::new();
        for _ in 0..MAX_WAITING {
            let (is_given_up, question) = named("waits", &answered);
            assert!(questions.ask(Lane::List, question));
            waiting.push(is_given_up);
        }
        assert!(!questions.ask(Lane::List, named("refused", &answered).1));
        assert!(questions.ask(Lane::Quick, named("quick", &answered).1), "other lanes have room");
        waiting[7].store(true, Ordering::Relaxed);
        assert!(questions.ask(Lane::List, named("taken", &answered).1));
        assert!(!questions.ask(Lane::List, named("refused", &answered).1));
        questions.close();
        questions.serve(&mut Connection::open_in_memory().unwrap());
        assert!(answered.lock().unwrap().is_empty(), "a closed queue answers nothing");
    }
}
