//! Streams that another program made non-blocking. The flag belongs to the pipe or terminal, which programs share.

use std::{
    io::{self, Read, Write},
    thread,
    time::Duration,
};

/// The time between two attempts to write.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// A stream that waits for the program at its other end, as a blocking one does.
pub(super) struct Patient<W>(pub(super) W);

impl<W: Write> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        wait_for(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        wait_for(|| self.0.flush())
    }
}

impl<R: Read> Read for Patient<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        wait_for(|| self.0.read(bytes))
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

    impl Read for Slow {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            self.is_full = !self.is_full;
            if self.is_full {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let given = bytes.len().min(self.written.len()).min(3);
            bytes[..given].copy_from_slice(&self.written[..given]);
            self.written.drain(..given);
            Ok(given)
        }
    }

    #[test]
    fn a_writer_with_nothing_to_say_is_waited_for() {
        let mut text = String::new();
        let slow = Slow { written: b"yes, please".to_vec(), is_full: false };
        Patient(slow).read_to_string(&mut text).unwrap();
        assert_eq!(text, "yes, please");
    }

    #[test]
    fn a_reader_without_room_is_waited_for() {
        let mut stream = Patient(Slow::default());
        stream.write_all(b"0123456789").unwrap();
        assert_eq!(stream.0.written, b"0123456789");
    }
}
