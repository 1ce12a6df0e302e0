//! Batched matrix products on the CPU.
//!
//! candle counts the machine's cores before each product, on Linux by reading `/proc/cpuinfo`. For small pictures
//! that takes longer than the product. candle also starts one thread per core instead of using the caller's pool.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use gemm::Parallelism;

use super::fused::{Real, for_real, has_kernel};

/// Computes `a * b`: `(batch, m, k)` times `(batch, k, n)` is `(batch, m, n)`.
///
/// # Errors
/// If the shapes do not match.
pub(super) fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if has_kernel(a) && a.dtype() == b.dtype() { a.apply_op2(b, Product) } else { a.matmul(b) }
}

/// The CPU kernel. It accepts any strides.
struct Product;

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(
            a: &CpuStorage,
            a_layout: &Layout,
            b: &CpuStorage,
            b_layout: &Layout,
        ) -> Result<CpuStorage> {
            let a = Matrices::<T>::new(a, a_layout)?;
            let b = Matrices::<T>::new(b, b_layout)?;
            let mut product = vec![T::zero(); a.count * a.rows * b.columns];
            for (i, product) in product.chunks_exact_mut((a.rows * b.columns).max(1)).enumerate() {
                multiply(&a, &b, i, product);
            }
            Ok(T::to_cpu_storage_owned(product))
        }
        let (batch, m, k) = a_layout.shape().dims3()?;
        let (b_batch, b_k, n) = b_layout.shape().dims3()?;
        if (batch, k) != (b_batch, b_k) {
            let (a, b) = (a_layout.shape(), b_layout.shape());
            candle_core::bail!("cannot multiply matrices with {a:?} and {b:?}");
        }
        Ok((for_real!(a, kernel(a, a_layout, b, b_layout))?, (batch, m, n).into()))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        // Weights have no use for a gradient while a picture is drawn.
        let to_a = a.track_op().then(|| matmul(gradient, &b.transpose(1, 2)?));
        let to_b = b.track_op().then(|| matmul(&a.transpose(1, 2)?, gradient));
        Ok((to_a.transpose()?, to_b.transpose()?))
    }
}

/// A batch of matrices in memory.
struct Matrices<'a, T> {
    values: &'a [T],
    count: usize,
    rows: usize,
    columns: usize,
    /// The distance in elements to the next matrix, row and column.
    strides: [usize; 3],
}

impl<'a, T: Real> Matrices<'a, T> {
    fn new(storage: &'a CpuStorage, layout: &Layout) -> Result<Self> {
        let (count, rows, columns) = layout.shape().dims3()?;
        let strides = <[usize; 3]>::try_from(layout.stride().to_vec());
        let Ok(strides) = strides else {
            candle_core::bail!("a matrix product needs three dimensions, not {layout:?}")
        };
        let values = T::cpu_storage_as_slice(storage)?.get(layout.start_offset()..);
        let ends = [count, rows, columns].into_iter().zip(strides);
        let last: usize = ends.map(|(count, stride)| count.saturating_sub(1) * stride).sum();
        // `multiply` relies on this: the last element is in memory.
        match values {
            Some(values) if last < values.len() => {
                Ok(Self { values, count, rows, columns, strides })
            }
            _ => candle_core::bail!("{layout:?} exceeds its storage"),
        }
    }
}

/// Writes the product of matrices `i` to `product` in row-major order.
#[expect(unsafe_code, reason = "gemm takes pointers; there is no other way to call it")]
fn multiply<T: Real>(a: &Matrices<'_, T>, b: &Matrices<'_, T>, i: usize, product: &mut [T]) {
    let threads = match rayon::current_num_threads() {
        1 => Parallelism::None,
        threads => Parallelism::Rayon(threads),
    };
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert!(product.len() == m * n && b.rows == k && i < a.count && i < b.count);
    // SAFETY: `product` has `m` rows of `n` elements. `Matrices::new` checked that every element of matrices below
    // `count` is in memory. Only `m` by `k` and `k` by `n` elements of these are read.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            product.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.values.as_ptr().add(i * a.strides[0]),
            a.strides[2] as isize,
            a.strides[1] as isize,
            b.values.as_ptr().add(i * b.strides[0]),
            b.strides[2] as isize,
            b.strides[1] as isize,
            T::zero(),
            T::one(),
            false,
            false,
            false,
            threads,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{assert_close, gradients_agree, numbers};

    #[test]
    fn products_match_candle_for_any_strides() {
        let (a, b) = (numbers((3, 4, 5), 1), numbers((3, 5, 2), 2));
        let expected = a.matmul(&b).unwrap();
        let turned = |x: &Tensor| x.transpose(1, 2).unwrap().contiguous().unwrap();
        let back = |x: Tensor| x.transpose(1, 2).unwrap();
        assert_close(&matmul(&a, &b).unwrap(), &expected, 1e-12);
        assert_close(&matmul(&back(turned(&a)), &back(turned(&b))).unwrap(), &expected, 1e-12);
        let (part, other) = (a.narrow(0, 1, 2).unwrap(), b.narrow(0, 1, 2).unwrap());
        let expected = part.matmul(&other.contiguous().unwrap()).unwrap();
        assert_close(&matmul(&part, &other).unwrap(), &expected, 1e-12);
        let shared = a.get(0).unwrap().broadcast_left(3).unwrap();
        let expected = shared.contiguous().unwrap().matmul(&b).unwrap();
        assert_close(&matmul(&shared, &b).unwrap(), &expected, 1e-12);
        let large = (numbers((1, 150, 300), 3), numbers((1, 300, 170), 4));
        let expected = large.0.matmul(&large.1).unwrap();
        assert_close(&matmul(&large.0, &large.1).unwrap(), &expected, 1e-9);
    }

    #[test]
    fn mismatched_shapes_are_an_error() {
        let of = |a: (usize, usize, usize), b: (usize, usize, usize)| {
            matmul(&numbers(a, 1), &numbers(b, 2))
        };
        assert!(of((2, 3, 4), (2, 5, 3)).is_err());
        assert!(of((2, 3, 4), (1, 4, 3)).is_err());
        assert_eq!(of((2, 3, 1), (2, 1, 7)).unwrap().dims(), [2, 3, 7]);
    }

    #[test]
    fn product_gradients_match_finite_differences() {
        let inputs = [numbers((2, 3, 4), 1), numbers((2, 4, 2), 2)];
        gradients_agree(&inputs, |[a, b]| matmul(a, b));
        let inputs = [numbers((3, 4), 1), numbers((2, 4, 2), 2)];
        gradients_agree(&inputs, |[a, b]| matmul(&a.broadcast_left(2)?, b));
    }
}
