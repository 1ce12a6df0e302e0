//! Streams that another program made non-blocking. The flag belongs to the pipe, which programs share.

use std::{
    io::{self, Write},
    thread,
    time::Duration,
};

/// The time between two attempts to write.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// A stream that waits until its reader has room, as a blocking one does.
pub(super) struct Patient<W>(pub(super) W);

impl<W: Write> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        wait_for(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        wait_for(|| self.0.flush())
    }
}

fn wait_for<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(RETRY_INTERVAL);
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes three bytes, then refuses once, and so on.
    #[derive(Default)]
    struct Slow {
        written: Vec<u8>,
        is_full: bool,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.is_full = !self.is_full;
            if self.is_full {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let taken = bytes.len().min(3);
            self.written.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_without_room_is_waited_for() {
        let mut stream = Patient(Slow::default());
        stream.write_all(b"0123456789").unwrap();
        assert_eq!(stream.0.written, b"0123456789");
    }
}
