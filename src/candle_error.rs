//! Errors of candle in messages.

use candle_core::Error;

/// The error without the backtraces that candle adds to its text if `RUST_BACKTRACE` is set. They hide the message.
pub(crate) fn without_backtrace(error: Error) -> Error {
    let boxed = |error: Box<Error>| Box::new(without_backtrace(*error));
    match error {
        Error::WithBacktrace { inner, .. } => without_backtrace(*inner),
        Error::Context { inner, context } => Error::Context { inner: boxed(inner), context },
        Error::WithPath { inner, path } => Error::WithPath { inner: boxed(inner), path },
        Error::WrappedContext { wrapped, context } => match wrapped.downcast() {
            Ok(inner) => Error::Context { inner: boxed(inner), context: Box::new(context) },
            Err(wrapped) => Error::WrappedContext { wrapped, context },
        },
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use std::backtrace::Backtrace;

    use candle_core::Context;

    use super::*;
    use crate::{diffusion::DiffusionError, mask::sam::SamError};

    /// An error as candle creates it if `RUST_BACKTRACE` is set.
    fn traced(inner: Error) -> Error {
        let backtrace = Box::new(Backtrace::force_capture());
        Error::WithBacktrace { inner: Box::new(inner), backtrace }
    }

    #[test]
    fn no_part_of_a_message_is_a_backtrace() {
        let cases: [(fn(Error) -> Error, &str); 5] = [
            (|error| error, "the cause"),
            (|error| traced(error.context("reading")), "reading\nthe cause"),
            (|error| error.with_path("a.bin"), "path: \"a.bin\" the cause"),
            (|error| Err::<(), _>(error).context("reading").unwrap_err(), "reading\nthe cause"),
            (
                |error| traced(traced(error).context("a").with_path("b")).context("c"),
                "c\npath: \"b\" a\nthe cause",
            ),
        ];
        for (change, expected) in cases {
            let error = || change(traced(Error::Msg("the cause".to_owned())));
            assert!(error().to_string().lines().count() > expected.lines().count() + 3);
            assert_eq!(without_backtrace(error()).to_string(), expected);
            assert_eq!(DiffusionError::from(error()).to_string(), expected);
            assert_eq!(SamError::from(error()).to_string(), expected);
            assert_eq!(
                format!("{:?}", DiffusionError::from(error())),
                format!("Candle({expected})")
            );
        }
    }
}
