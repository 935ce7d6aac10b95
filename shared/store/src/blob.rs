//! Bodies of any size, compressed and split into parts that fit into an item.

use std::io::{Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use crate::error::StoreError;

/// DynamoDB accepts items of up to 400 KB; this leaves room for the keys.
const MAX_PART: usize = 380 * 1024;

/// Compresses `body` and splits it into one or more parts.
pub(crate) fn compress(body: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).map_err(|_| StoreError::Unencodable)?;
    let packed = encoder.finish().map_err(|_| StoreError::Unencodable)?;
    Ok(packed.chunks(MAX_PART).map(<[u8]>::to_vec).collect())
}

/// The body that [`compress`] was given.
pub(crate) fn decompress(parts: &[Vec<u8>]) -> Result<Vec<u8>, StoreError> {
    let mut body = Vec::new();
    let packed = parts.concat();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut body).map_err(|_| StoreError::Undecodable)?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text of letters that hardly compresses.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            b' ' + ((state >> 33) % 95) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn a_body_of_any_size_is_read_back_byte_for_byte() {
        for body in [Vec::new(), b"{}".to_vec(), noise(3 * 1024 * 1024)] {
            let parts = compress(&body).unwrap();
            assert!(parts.iter().all(|part| part.len() <= MAX_PART));
            assert_eq!(decompress(&parts).unwrap(), body);
        }
    }

    #[test]
    fn the_largest_webhook_fits_into_one_transaction_however_badly_it_compresses() {
        // A JSON text of 4 MiB in printable ASCII holds at most 6.6 bits a byte; DynamoDB accepts 4 MB at once.
        let packed: usize = compress(&noise(4 * 1024 * 1024)).unwrap().iter().map(Vec::len).sum();
        assert!(packed < 3_800_000, "{packed}");
    }
}
