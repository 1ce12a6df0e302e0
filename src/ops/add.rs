//! Addition of large tensors.
//!
//! candle adds on its own thread pool, whose threads spin while they wait and take time from the game. These
//! operations run on the caller's pool.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::fused::{Real, for_real, has_kernel, slice};

/// The minimum number of elements in a task.
pub(super) const MIN_TASK: usize = 1 << 14;

/// Adds two tensors of the same shape.
///
/// # Errors
/// If the shapes differ.
pub fn add(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    if has_kernel(x) && x.dtype() == y.dtype() && x.shape() == y.shape() {
        x.contiguous()?.apply_op2(&y.contiguous()?, Add)
    } else {
        x + y
    }
}

struct Add;

impl CustomOp2 for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(x: &[T], y: &[T]) -> Result<CpuStorage> {
            let mut sum = vec![T::zero(); x.len()];
            let chunks = sum.par_chunks_mut(MIN_TASK).zip(x.par_chunks(MIN_TASK));
            chunks.zip(y.par_chunks(MIN_TASK)).for_each(|((sum, x), y)| {
                for ((sum, x), y) in sum.iter_mut().zip(x).zip(y) {
                    *sum = *x + *y;
                }
            });
            Ok(T::to_cpu_storage_owned(sum))
        }
        let sum = for_real!(x, kernel(slice(x, x_layout)?, slice(y, y_layout)?))?;
        Ok((sum, x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(gradient.clone()), Some(gradient.clone())))
    }
}

/// Adds one value to all pixels of each channel. `x` is `(batch, channels, height, width)`, `by` is
/// `(batch, channels)` or `(1, channels)`.
///
/// # Errors
/// If the shapes do not match.
pub fn add_channels(x: &Tensor, by: &Tensor) -> Result<Tensor> {
    let (batch, channels, _, _) = x.dims4()?;
    let by = by.broadcast_as((batch, channels))?.contiguous()?;
    if has_kernel(x) {
        x.contiguous()?.apply_op2(&by, AddChannels)
    } else {
        x.broadcast_add(&by.reshape((batch, channels, 1, 1))?)
    }
}

struct AddChannels;

impl CustomOp2 for AddChannels {
    fn name(&self) -> &'static str {
        "add-channels"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        by: &CpuStorage,
        by_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(x: &[T], by: &[T], plane: usize) -> Result<CpuStorage> {
            let mut y = vec![T::zero(); x.len()];
            if plane > 0 {
                let planes = y.par_chunks_mut(plane).zip(x.par_chunks(plane)).zip(by);
                planes.for_each(|((y, x), by)| {
                    for (y, x) in y.iter_mut().zip(x) {
                        *y = *x + *by;
                    }
                });
            }
            Ok(T::to_cpu_storage_owned(y))
        }
        let plane = x_layout.dims()[2..].iter().product();
        let y = for_real!(x, kernel(slice(x, x_layout)?, slice(by, by_layout)?, plane))?;
        Ok((y, x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        by: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let to_by = by.track_op().then(|| gradient.sum((2, 3)));
        Ok((Some(gradient.clone()), to_by.transpose()?))
    }
}

/// Adds the same values to each row. `x` is `(.., columns)`, `by` is `(columns)`.
///
/// # Errors
/// If the shapes do not match.
pub(super) fn add_to_rows(x: &Tensor, by: &Tensor) -> Result<Tensor> {
    if has_kernel(x) && x.dtype() == by.dtype() && x.dims().last() == by.dims().last() {
        x.contiguous()?.apply_op2(&by.contiguous()?, AddToRows)
    } else {
        x.broadcast_add(by)
    }
}

struct AddToRows;

impl CustomOp2 for AddToRows {
    fn name(&self) -> &'static str {
        "add-to-rows"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        by: &CpuStorage,
        by_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(x: &[T], by: &[T]) -> Result<CpuStorage> {
            let mut y = vec![T::zero(); x.len()];
            let columns = by.len().max(1);
            let task = MIN_TASK.div_ceil(columns) * columns;
            y.par_chunks_mut(task).zip(x.par_chunks(task)).for_each(|(y, x)| {
                for (y, x) in y.chunks_mut(columns).zip(x.chunks(columns)) {
                    for ((y, x), by) in y.iter_mut().zip(x).zip(by) {
                        *y = *x + *by;
                    }
                }
            });
            Ok(T::to_cpu_storage_owned(y))
        }
        let y = for_real!(x, kernel(slice(x, x_layout)?, slice(by, by_layout)?))?;
        Ok((y, x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        by: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let to_by = by.track_op().then(|| gradient.reshape(((), by.dim(0)?))?.sum(0));
        Ok((Some(gradient.clone()), to_by.transpose()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{assert_close, gradients_agree, numbers};

    #[test]
    fn adding_in_several_tasks_gives_the_sum() {
        let (x, y) = (numbers((3, MIN_TASK + 5), 1), numbers((MIN_TASK + 5, 3), 2));
        let y = y.t().unwrap();
        assert_close(&add(&x, &y).unwrap(), &(&x + &y).unwrap(), 0.0);
        assert!(add(&x, &numbers(3, 1)).is_err());
    }

    #[test]
    fn each_channel_gets_its_own_value() {
        let x = numbers((2, 3, 2, 2), 1);
        for batch in [1, 2] {
            let by = numbers((batch, 3), 2);
            let expected = x.broadcast_add(&by.reshape((batch, 3, 1, 1)).unwrap()).unwrap();
            assert_close(&add_channels(&x, &by).unwrap(), &expected, 0.0);
        }
    }

    #[test]
    fn each_row_gets_the_same_values() {
        for rows in [1, 3, 2 * MIN_TASK / 5] {
            let (x, by) = (numbers((2, rows, 5), 1), numbers(5, 2));
            let expected = x.broadcast_add(&by).unwrap();
            assert_close(&add_to_rows(&x, &by).unwrap(), &expected, 0.0);
        }
        assert!(add_to_rows(&numbers((2, 4), 1), &numbers(5, 2)).is_err());
    }

    #[test]
    fn addition_gradients_match_finite_differences() {
        let inputs = [numbers((2, 3), 1), numbers((2, 3), 2)];
        gradients_agree(&inputs, |[x, y]| add(x, y));
        for batch in [1, 2] {
            let inputs = [numbers((2, 3, 2, 2), 1), numbers((batch, 3), 2)];
            gradients_agree(&inputs, |[x, by]| add_channels(x, by));
        }
        let inputs = [numbers((2, 3, 4), 1), numbers(4, 2)];
        gradients_agree(&inputs, |[x, by]| add_to_rows(x, by));
    }
}
