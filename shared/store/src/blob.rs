//! Bodies of any size, compressed and cut into pieces that fit into an item.

use std::io::{Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use super::StoreError;

/// DynamoDB takes items of up to 400 KB; this leaves room for the keys.
const LARGEST_PART: usize = 380 * 1024;

/// Compresses `body` and cuts it. There is always at least one part.
pub(crate) fn split(body: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).map_err(|_| StoreError::Unreadable)?;
    let packed = encoder.finish().map_err(|_| StoreError::Unreadable)?;
    Ok(packed.chunks(LARGEST_PART).map(<[u8]>::to_vec).collect())
}

/// The body that [`split`] was given.
pub(crate) fn join(parts: &[Vec<u8>]) -> Result<Vec<u8>, StoreError> {
    let mut body = Vec::new();
    let packed = parts.concat();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut body).map_err(|_| StoreError::Unreadable)?;
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
            let parts = split(&body).unwrap();
            assert!(parts.iter().all(|part| part.len() <= LARGEST_PART));
            assert_eq!(join(&parts).unwrap(), body);
        }
    }

    #[test]
    fn the_largest_webhook_fits_into_one_transaction_however_badly_it_compresses() {
        // A JSON text of 4 MiB in printable ASCII holds at most 6.6 bits a byte; DynamoDB takes 4 MB at once.
        let packed: usize = split(&noise(4 * 1024 * 1024)).unwrap().iter().map(Vec::len).sum();
        assert!(packed < 3_800_000, "{packed}");
    }
}
