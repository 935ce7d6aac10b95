//! Bytes of any size, compressed, and split into parts that fit into an item.

use std::io::Read;

use zstd::{bulk::Compressor, stream::read::Decoder};

use crate::error::StoreError;

/// DynamoDB accepts items of up to 400 KB; this leaves room for the keys.
const MAX_PART: usize = 380 * 1024;
/// A webhook of 80 KB becomes 10.8 KB in 0.6 ms; gzip, whose window is smaller than a transcript, makes 20.7 KB of it.
const LEVEL: i32 = 3;

/// Compresses `body` to what it adds to `base`, which may be empty.
pub(crate) fn compress(body: &[u8], base: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut compressor = Compressor::with_dictionary(LEVEL, base).map_err(|_| StoreError::Unencodable)?;
    // With another base than its own it would be decompressed to something else.
    compressor.include_checksum(true).map_err(|_| StoreError::Unencodable)?;
    compressor.compress(body).map_err(|_| StoreError::Unencodable)
}

/// The body that [`compress`] was given with the same base.
pub(crate) fn decompress(packed: &[u8], base: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut body = Vec::new();
    let mut decoder = Decoder::with_dictionary(packed, base).map_err(|_| StoreError::Undecodable)?;
    decoder.read_to_end(&mut body).map_err(|_| StoreError::Undecodable)?;
    Ok(body)
}

/// Compresses a whole body and splits it.
pub(crate) fn pack(body: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
    Ok(split(&compress(body, &[])?))
}

/// The body that [`pack`] was given.
pub(crate) fn unpack(parts: &[Vec<u8>]) -> Result<Vec<u8>, StoreError> {
    decompress(&parts.concat(), &[])
}

/// One or more parts that fit into an item.
pub(crate) fn split(packed: &[u8]) -> Vec<Vec<u8>> {
    packed.chunks(MAX_PART).map(<[u8]>::to_vec).collect()
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
            for base in [Vec::new(), b"{\"event\":".to_vec(), noise(200_000)] {
                let parts = split(&compress(&body, &base).unwrap());
                assert!(!parts.is_empty() && parts.iter().all(|part| part.len() <= MAX_PART));
                assert_eq!(decompress(&parts.concat(), &base).unwrap(), body);
            }
        }
    }

    #[test]
    fn a_further_event_of_a_call_is_as_small_as_what_it_adds() {
        let ended = noise(150_000);
        let analyzed =
            [b"{\"event\":\"call_analyzed\"", ended.as_slice(), b"\"call_summary\":\"wants a haircut\"}"].concat();
        let added = compress(&analyzed, &ended).unwrap();
        assert!(added.len() < 200, "{}", added.len());
        assert!(compress(&ended, &ended).unwrap().len() < 100);
    }

    #[test]
    fn with_another_base_nothing_is_read() {
        let (base, other) = (noise(10_000), noise(10_001)[1..].to_vec());
        let packed = compress(&base[100..9000], &base).unwrap();
        assert!(decompress(&packed, &other).is_err());
    }

    #[test]
    fn the_largest_webhook_fits_into_one_transaction_however_badly_it_compresses() {
        // A JSON text of 4 MiB in printable ASCII holds at most 6.6 bits a byte; DynamoDB accepts 4 MB at once.
        let packed = compress(&noise(4 * 1024 * 1024), &[]).unwrap().len();
        assert!(packed < 3_800_000, "{packed}");
    }
}
