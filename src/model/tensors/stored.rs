//! Tensors with the numbers of their file.

use std::sync::Arc;

use candle_core::{
    DType, Device, Result, Tensor, bail,
    quantized::{GgmlDType, QStorage, QTensor},
};

use crate::ops;

/// A tensor with the numbers of its file. In memory, it needs about the space that it has there.
#[derive(Clone, Debug)]
pub enum StoredTensor {
    /// Numbers in f32, f16 or bf16.
    Plain(Tensor),
    /// Numbers in quantized blocks, each a part of a row.
    Quantized(Arc<QTensor>),
}

impl StoredTensor {
    /// Numbers in blocks of the type `dtype`. `bytes` are all blocks, row by row.
    ///
    /// # Errors
    /// If a row does not consist of whole blocks, or if `bytes` has another length than those of the shape.
    pub(crate) fn quantized(
        bytes: &[u8],
        dtype: GgmlDType,
        shape: &[usize],
        device: &Device,
    ) -> Result<Self> {
        let size = dtype.block_size();
        let expected = shape
            .iter()
            .try_fold(1_usize, |count, side| count.checked_mul(*side))
            .and_then(|count| (count / size).checked_mul(dtype.type_size()));
        let is_whole = shape.last().is_some_and(|row| row.is_multiple_of(size));
        if !is_whole || expected != Some(bytes.len()) {
            bail!("{} bytes are not blocks of the type {dtype:?} in {shape:?}", bytes.len());
        }
        let blocks = QStorage::from_data(bytes.into(), device, dtype)?;
        Ok(Self::Quantized(Arc::new(QTensor::new(blocks, shape)?)))
    }

    /// The sizes of its dimensions.
    pub fn dims(&self) -> &[usize] {
        match self {
            Self::Plain(tensor) => tensor.dims(),
            Self::Quantized(tensor) => tensor.shape().dims(),
        }
    }

    /// The numbers as f32.
    ///
    /// # Errors
    /// If they cannot be converted.
    pub fn widened(&self) -> Result<Tensor> {
        match self {
            Self::Plain(tensor) => ops::widened(tensor),
            Self::Quantized(tensor) => ops::dequantized(tensor),
        }
    }

    /// The rows of a matrix in these ranges, one range after another. Each range is its first row and its number of rows.
    ///
    /// # Errors
    /// If the matrix has fewer rows.
    pub(crate) fn rows(&self, ranges: &[(usize, usize)]) -> Result<Self> {
        match self {
            Self::Plain(tensor) => selected_rows(tensor, ranges).map(Self::Plain),
            Self::Quantized(tensor) => {
                let shape = tensor.shape().dims();
                let [rows, width] = *shape else { bail!("{shape:?} is not the shape of a matrix") };
                let dtype = tensor.dtype();
                let row = width / dtype.block_size() * dtype.type_size();
                let bytes = tensor.data()?;
                let mut selected = Vec::new();
                for (start, count) in ranges {
                    let Some(part) = bytes.get(start * row..(start + count) * row) else {
                        bail!("there are no rows {start} to {} of {rows}", start + count);
                    };
                    selected.extend_from_slice(part);
                }
                let rows = ranges.iter().map(|(_, count)| count).sum();
                Self::quantized(&selected, dtype, &[rows, width], &tensor.device())
            }
        }
    }
}

/// The rows of a tensor in these ranges, as [`StoredTensor::rows`]. The copy does not keep the other rows in memory.
pub(super) fn selected_rows(tensor: &Tensor, ranges: &[(usize, usize)]) -> Result<Tensor> {
    let part = |&(start, count): &(usize, usize)| tensor.narrow(0, start, count);
    let parts = ranges.iter().map(part).collect::<Result<Vec<_>>>()?;
    Tensor::cat(&parts, 0)?.force_contiguous()
}

/// The type that stored numbers have in memory if they stay as they are stored. Other types than these become f32.
pub(crate) fn kept_type(stored: DType) -> DType {
    if matches!(stored, DType::F16 | DType::BF16) { stored } else { DType::F32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::numbers;

    #[test]
    fn rows_of_a_matrix_stay_in_their_blocks() {
        let matrix = numbers((6, 64), 1).to_dtype(DType::F32).unwrap();
        let blocks = QTensor::quantize(&matrix, GgmlDType::Q4_0).unwrap();
        let narrow = matrix.to_dtype(DType::BF16).unwrap();
        for stored in [StoredTensor::Plain(narrow), StoredTensor::Quantized(Arc::new(blocks))] {
            let whole = stored.widened().unwrap().to_vec2::<f32>().unwrap();
            let part = stored.rows(&[(4, 2), (1, 2)]).unwrap();
            assert_eq!(part.dims(), [4, 64]);
            assert_eq!(std::mem::discriminant(&part), std::mem::discriminant(&stored), "{part:?}");
            let expected = [4, 5, 1, 2].map(|row| whole[row].clone());
            assert_eq!(part.widened().unwrap().to_vec2::<f32>().unwrap(), expected);
            assert!(stored.rows(&[(5, 2)]).is_err());
        }
    }

    #[test]
    fn blocks_that_do_not_fill_the_rows_are_refused() {
        let quantized = |bytes: usize, shape: &[usize]| {
            StoredTensor::quantized(&vec![0; bytes], GgmlDType::Q8_0, shape, &Device::Cpu)
        };
        assert!(quantized(2 * 34, &[2, 32]).is_ok());
        for (bytes, shape) in
            [(34, &[2, 32][..]), (2 * 34, &[4, 16]), (34, &[]), (0, &[usize::MAX, 32])]
        {
            assert!(quantized(bytes, shape).is_err(), "{bytes} {shape:?}");
        }
    }
}
