//! A layer's blob to its unpacked directory: decompression by what the bytes say, and the digest of the
//! content (the `diff_id`) checked on the way.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::unpack::unpack;

/// A reader of a file that may be compressed with gzip or zstd.
pub(crate) fn decompressed(path: &Path) -> Result<Box<dyn Read>, Error> {
    let file = File::open(path).map_err(Error::io(path))?;
    let mut reader = BufReader::with_capacity(128 * 1024, file);
    let magic = io::BufRead::fill_buf(&mut reader).map_err(Error::io(path))?;
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Box::new(zstd::stream::read::Decoder::with_buffer(reader).map_err(Error::io(path))?)
        }
        _ => Box::new(reader),
    })
}

/// Unpacks the blob at `blob` into `directory` and checks that its content has the digest `diff_id`.
pub(crate) fn unpack_layer(blob: &Path, diff_id: &str, directory: &Path) -> Result<(), Error> {
    let mut hashing = Hashing { inner: decompressed(blob)?, hash: Sha256::new() };
    unpack(diff_id, &mut hashing, directory)?;
    // What follows the last entry belongs to the digest too.
    io::copy(&mut hashing, &mut io::sink()).map_err(|error| Error::unpack(diff_id, error))?;
    let found = format!("sha256:{}", hex::encode(hashing.hash.finalize()));
    if found == diff_id {
        Ok(())
    } else {
        Err(Error::Digest { name: blob.display().to_string(), expected: diff_id.to_owned(), found })
    }
}

struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hash.update(&buffer[..length]);
        Ok(length)
    }
}

/// The digest of a file's bytes.
pub(crate) fn digest_of(path: &Path) -> Result<String, Error> {
    let file = File::open(path).map_err(Error::io(path))?;
    let mut hashing = Hashing { inner: file, hash: Sha256::new() };
    io::copy(&mut hashing, &mut io::sink()).map_err(Error::io(path))?;
    Ok(format!("sha256:{}", hex::encode(hashing.hash.finalize())))
}
