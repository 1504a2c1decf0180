//! The writer's page cache: small while the database is.
//!
//! When SQLite rebalances a tree it gives pages new numbers by way of the one that it never uses, that of the byte at
//! 1 GiB. From then on its cache holds numbers beyond the end of a smaller database for possible, and looks through
//! all of its pages for them at the end of each transaction: at 64 MiB that was an eighth of what a drain costs. A small
//! database does with a small cache, for the kernel has its pages; a large one is not looked through.

use rusqlite::Connection;

use crate::PAGE_BYTES;

/// The number of the page that SQLite never uses.
const UNUSED_PAGE: u32 = 0x4000_0000 / PAGE_BYTES + 1;
/// The cache of a smaller database: room for what a fill of the index of customers changes.
const SMALL_KIB: u32 = 8 * 1024;

/// How large the cache is.
pub(crate) struct PageCache {
    kib: u32,
    large_kib: u32,
    /// Pages beyond which a database is large.
    small_pages: u32,
}

impl PageCache {
    /// A cache that will have this many KiB when the database is large.
    pub(crate) fn new(connection: &Connection, large_kib: u32) -> rusqlite::Result<Self> {
        let mut cache = Self { kib: 0, large_kib, small_pages: UNUSED_PAGE };
        cache.fit(connection)?;
        Ok(cache)
    }

    /// Fits it to the database.
    pub(crate) fn fit(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let pages: u32 = connection.prepare_cached("PRAGMA page_count")?.query_row([], |row| row.get(0))?;
        let kib = if pages > self.small_pages { self.large_kib } else { self.large_kib.min(SMALL_KIB) };
        if kib != self.kib {
            connection.pragma_update(None, "cache_size", -i64::from(kib))?;
            self.kib = kib;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_with_the_database() {
        let connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "page_size", PAGE_BYTES).unwrap();
        connection.execute_batch("CREATE TABLE t (x)").unwrap();
        let size = || connection.query_row("PRAGMA cache_size", [], |row| row.get::<_, i64>(0)).unwrap();
        let mut cache = PageCache::new(&connection, 64 * 1024).unwrap();
        assert_eq!(size(), -i64::from(SMALL_KIB));
        cache.small_pages = 10;
        cache.fit(&connection).unwrap();
        assert_eq!(size(), -i64::from(SMALL_KIB), "two pages are no large database");
        connection.execute("INSERT INTO t VALUES (zeroblob(?1))", [9 * PAGE_BYTES]).unwrap();
        cache.fit(&connection).unwrap();
        assert_eq!(size(), -64 * 1024);
        PageCache::new(&connection, 100).unwrap();
        assert_eq!(size(), -100, "no more than it may have");
    }
}
