//! The tensor operations that the networks need, each differentiable.
