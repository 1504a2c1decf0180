//! Where parcels come from.

use std::io;

use super::parcel::Parcel;
use super::tally::FileTally;

/// A file of orders.
pub(super) trait Source {
    /// How many parcels there will be.
    fn total(&self) -> u64;

    /// The next parcel. What cannot be one is counted in the tally.
    ///
    /// # Errors
    /// When the file can no longer be read.
    fn next(&mut self) -> io::Result<Option<Parcel>>;

    /// What the file held, as far as it was read.
    fn tally(&self) -> &FileTally;
}
