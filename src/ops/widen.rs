//! Numbers with fewer bits as f32. The conversion is exact.

use std::borrow::Cow;

use candle_core::{
    CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, quantized::QTensor,
};
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

/// Numbers in a task.
const TASK: usize = 1 << 14;

/// The part of a matrix that is dequantized at once: as many columns as the largest block has numbers, and as many rows as a
/// line of the cache has numbers.
const TILE_COLUMNS: usize = 256;
const TILE_ROWS: usize = 16;

/// Converts a tensor to f32. A matrix or the kernels of a convolution in [`column_major`](super::column_major) order stay in
/// this order.
///
/// # Errors
/// If the numbers cannot be converted.
pub fn widened(x: &Tensor) -> Result<Tensor> {
    if !x.is_contiguous() {
        if x.rank() == 2 && x.t()?.is_contiguous() {
            return widened(&x.t()?)?.t();
        }
        if x.rank() == 4 && x.permute((1, 2, 3, 0))?.is_contiguous() {
            return widened(&x.permute((1, 2, 3, 0))?)?.permute((3, 0, 1, 2));
        }
    }
    let has_kernel = x.device().is_cpu() && matches!(x.dtype(), DType::F16 | DType::BF16);
    if has_kernel { x.contiguous()?.apply_op1_no_bwd(&Widen) } else { x.to_dtype(DType::F32) }
}

/// The numbers of a tensor in quantized blocks, on its device. On the CPU, a matrix is in
/// [`column_major`](super::column_major) order.
///
/// # Errors
/// If the device fails.
pub fn dequantized(x: &QTensor) -> Result<Tensor> {
    let device = x.device();
    match *x.shape().dims() {
        [rows, columns] if device.is_cpu() => turned_numbers(x, rows, columns),
        _ => x.dequantize(&device),
    }
}

/// The numbers of a matrix, in column-major order.
fn turned_numbers(x: &QTensor, rows: usize, columns: usize) -> Result<Tensor> {
    let (dtype, bytes) = (x.dtype(), x.data()?);
    let in_bytes = |columns: usize| columns / dtype.block_size() * dtype.type_size();
    let mut turned = vec![0.0_f32; rows * columns];
    let parts = turned.par_chunks_mut((TILE_COLUMNS * rows).max(1)).enumerate();
    parts.try_for_each(|(part, turned)| {
        let (start, width) = (in_bytes(part * TILE_COLUMNS), turned.len() / rows);
        let mut blocks = Vec::new();
        for first in (0..rows).step_by(TILE_ROWS) {
            let count = TILE_ROWS.min(rows - first);
            blocks.clear();
            for row in first..first + count {
                let row = row * in_bytes(columns) + start;
                blocks.extend_from_slice(&bytes[row..row + in_bytes(width)]);
            }
            let numbers = dtype.from_data(Cow::Borrowed(&blocks)).dequantize(count * width)?;
            let CpuStorage::F32(numbers) = numbers else {
                candle_core::bail!("blocks of the type {dtype:?} are not f32")
            };
            for (column, turned) in turned.chunks_exact_mut(rows).enumerate() {
                let numbers = numbers.iter().skip(column).step_by(width);
                for (y, x) in turned[first..first + count].iter_mut().zip(numbers) {
                    *y = *x;
                }
            }
        }
        Ok(())
    })?;
    Tensor::from_vec(turned, (columns, rows), &x.device())?.t()
}

/// The CPU kernel of [`widened`].
struct Widen;

impl CustomOp1 for Widen {
    fn name(&self) -> &'static str {
        "widen"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Sync>(x: &[T], layout: &Layout) -> Result<CpuStorage>
        where
            [T]: HalfFloatSliceExt,
        {
            let Some((from, to)) = layout.contiguous_offsets() else {
                candle_core::bail!("widening needs a contiguous tensor, not {layout:?}")
            };
            let x = &x[from..to];
            let mut y = vec![0.0_f32; x.len()];
            // The crate converts slices with the instructions of the processor.
            let parts = y.par_chunks_mut(TASK).zip(x.par_chunks(TASK));
            parts.for_each(|(y, x)| x.convert_to_f32_slice(y));
            Ok(CpuStorage::F32(y))
        }
        let y = match x {
            CpuStorage::BF16(x) => kernel(x, layout)?,
            CpuStorage::F16(x) => kernel(x, layout)?,
            _ => candle_core::bail!("widening runs on numbers of 16 bits only"),
        };
        Ok((y, layout.shape().clone()))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, quantized::GgmlDType};

    use super::*;
    use crate::ops::{check::numbers, column_major};

    fn bits(x: &Tensor) -> Vec<u32> {
        let values = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn numbers_of_16_bits_are_widened_as_candle_does_in_their_order_in_memory() {
        // Ends in the middle of a task, and begins in the middle of a storage.
        let all = numbers((3, 137, 129), 1).to_dtype(DType::F32).unwrap();
        for dtype in [DType::BF16, DType::F16] {
            let x = all.to_dtype(dtype).unwrap().get(1).unwrap();
            let expected = x.to_dtype(DType::F32).unwrap();
            assert_eq!(bits(&widened(&x).unwrap()), bits(&expected));
            let turned = widened(&column_major(&x).unwrap()).unwrap();
            assert!(turned.t().unwrap().is_contiguous());
            assert_eq!(bits(&turned), bits(&expected));
            let (x, expected) = (all.to_dtype(dtype).unwrap().unsqueeze(3).unwrap(), &all);
            let turned = widened(&column_major(&x).unwrap()).unwrap();
            assert!(turned.permute((1, 2, 3, 0)).unwrap().is_contiguous());
            let expected = expected.to_dtype(dtype).unwrap().to_dtype(DType::F32).unwrap();
            assert_eq!(bits(&turned), bits(&expected));
        }
    }

    #[test]
    fn blocks_are_dequantized_as_candle_does() {
        // Neither rows nor columns are whole tiles.
        let x = numbers((67, 768), 1).to_dtype(DType::F32).unwrap();
        for (dtype, columns) in [
            (GgmlDType::Q4_0, 608),
            (GgmlDType::Q5_1, 32),
            (GgmlDType::Q8_0, 768),
            (GgmlDType::Q6K, 768),
        ] {
            let x = x.narrow(1, 0, columns).unwrap();
            let x = QTensor::quantize(&x, dtype).unwrap();
            let expected = x.dequantize(&Device::Cpu).unwrap();
            let found = dequantized(&x).unwrap();
            assert!(found.t().unwrap().is_contiguous());
            assert_eq!(bits(&found), bits(&expected), "{dtype:?}");
        }
    }
}
