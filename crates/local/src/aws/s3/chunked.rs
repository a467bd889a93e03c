//! `aws-chunked` bodies: chunks with their length in hex, and trailers with checksums at the end.

/// The name of this encoding in `Content-Encoding`.
pub(super) const ENCODING: &str = "aws-chunked";

/// The content without its chunks; nothing when it is damaged or not as long as announced.
pub(super) fn decode(body: &[u8], announced: Option<usize>) -> Option<Vec<u8>> {
    let mut content = Vec::with_capacity(body.len());
    let mut rest = body;
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let (line, after) = (&rest[..end], &rest[end + 2..]);
        // A signature may follow the length: `400;chunk-signature=...`.
        let length = std::str::from_utf8(line).ok()?.split(';').next()?;
        let length = usize::from_str_radix(length.trim(), 16).ok()?;
        if length == 0 {
            let complete = announced.is_none_or(|announced| announced == content.len());
            return complete.then_some(content);
        }
        let (chunk, after) = after.split_at_checked(length)?;
        content.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_and_trailers_and_signatures_left_out() {
        let body = b"5;chunk-signature=ab\r\nhello\r\n2\r\n\r\n\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
        assert_eq!(decode(body, Some(7)).unwrap(), b"hello\r\n");
        assert_eq!(decode(b"0\r\n\r\n", Some(0)).unwrap(), b"");
    }

    #[test]
    fn a_cut_or_damaged_body_is_refused() {
        for body in [
            &b"5\r\nhel"[..],
            b"5\r\nhello",
            b"zz\r\nhello\r\n0\r\n",
            b"5\r\nhellooo\r\n0\r\n",
            b"",
        ] {
            assert_eq!(decode(body, None), None);
        }
        assert_eq!(decode(b"5\r\nhello\r\n0\r\n\r\n", Some(6)), None);
    }
}
