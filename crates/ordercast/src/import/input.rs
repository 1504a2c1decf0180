//! Opening a file that may be compressed.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use ordercast_domain::product::hex;
use sha2::{Digest, Sha256};

use crate::encoding::text_of;

/// How every gzip file begins (RFC 1952 §2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BUFFER_BYTES: usize = 256 * 1024;
/// How much of a hash tells files apart.
const SOURCE_BYTES: usize = 16;

/// Opens a file for reading its text, whether it is compressed or not.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let (file, is_gzip) = open_raw(path)?;
    let file = BufReader::with_capacity(BUFFER_BYTES, file);
    text_of(if is_gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

/// A file that is counted and summed up while it is read.
pub(super) struct Digested {
    pub(super) text: Box<dyn Read>,
    pub(super) text_sum: Rc<RefCell<Sum>>,
    /// Of the compressed bytes, if the file is compressed.
    pub(super) gzip_sum: Option<Rc<RefCell<Sum>>>,
}

/// Opens a file so that what is read of it is also counted and summed up.
pub(super) fn open_digested(path: &Path) -> io::Result<Digested> {
    let (file, is_gzip) = open_raw(path)?;
    let (file, file_sum) = Summing::new(file);
    let file = BufReader::with_capacity(BUFFER_BYTES, file);
    if !is_gzip {
        return Ok(Digested { text: text_of(Box::new(file))?, text_sum: file_sum, gzip_sum: None });
    }
    let (text, text_sum) = Summing::new(MultiGzDecoder::new(file));
    Ok(Digested { text: text_of(Box::new(text))?, text_sum, gzip_sum: Some(file_sum) })
}

fn open_raw(path: &Path) -> io::Result<(File, bool)> {
    let mut file = File::open(path)?;
    let mut magic = [0; 2];
    let is_gzip = file.read_exact(&mut magic).is_ok() && magic == GZIP_MAGIC;
    // A file is read twice and from the start: a pipe cannot be.
    file.rewind().map_err(|error| io::Error::new(error.kind(), format!("{error}; it must be a file, not a pipe")))?;
    Ok((file, is_gzip))
}

/// The size and the SHA-256 of the input.
#[derive(Default)]
pub(super) struct Sum {
    bytes: u64,
    hash: Sha256,
}

impl Sum {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn sha256(&self) -> String {
        hex(&self.hash.clone().finalize())
    }
}

struct Summing<R> {
    inner: R,
    sum: Rc<RefCell<Sum>>,
}

impl<R> Summing<R> {
    fn new(inner: R) -> (Self, Rc<RefCell<Sum>>) {
        let sum = Rc::new(RefCell::new(Sum::default()));
        (Self { inner, sum: Rc::clone(&sum) }, sum)
    }
}

impl<R: Read> Read for Summing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let mut sum = self.sum.borrow_mut();
        sum.bytes += read as u64;
        sum.hash.update(&buffer[..read]);
        Ok(read)
    }
}

/// What tells one file from another: its text, whatever its name is and however it is compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceId(String);

impl SourceId {
    /// That of a file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut hash = Sha256::new();
        let mut text = open(path)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match text.read(&mut buffer)? {
                0 => return Ok(Self(hex(&hash.finalize()[..SOURCE_BYTES]))),
                read => hash.update(&buffer[..read]),
            }
        }
    }

    /// The one that a user names.
    pub(super) fn named(name: &str) -> Self {
        Self(hex(&Sha256::digest(name)[..SOURCE_BYTES]))
    }

    /// The key of an order without an id, by where it stands: the same in every run of the same file, and in no other file.
    pub(super) fn key(&self, line: u64) -> String {
        format!("import-{}-{line}", self.0)
    }
}
