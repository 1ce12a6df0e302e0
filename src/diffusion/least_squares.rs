//! Linear maps that fit samples.

use candle_core::{DType, Device, Result, Tensor};

/// The affine maps with the least squared error: `targets`, (samples, outputs), are about the product of `rows`,
/// (samples, inputs), with the result, (inputs + 1, outputs). Its last row is the value at zero.
///
/// Computes in f64 on the processor; the result is in f32 on the device of `rows`.
pub(super) fn least_squares(rows: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let device = rows.device();
    let on_cpu = |x: &Tensor| x.to_device(&Device::Cpu)?.to_dtype(DType::F64);
    let (rows, targets) = (on_cpu(rows)?, on_cpu(targets)?);
    let (samples, outputs) = targets.dims2()?;
    let ones = Tensor::ones((samples, 1), DType::F64, &Device::Cpu)?;
    let rows = Tensor::cat(&[&rows, &ones], 1)?;
    let inputs = rows.dim(1)?;
    // The normal equations, with the right sides of all outputs.
    let sides = Tensor::cat(&[&rows, &targets], 1)?;
    let mut equations: Vec<Vec<f64>> = rows.t()?.matmul(&sides)?.to_vec2()?;
    for (index, equation) in equations.iter_mut().enumerate() {
        // A small ridge term keeps the equations solvable for any samples.
        equation[index] += 1e-6 * samples as f64;
    }
    eliminate(&mut equations, inputs);
    let maps: Vec<f32> =
        equations.iter().flat_map(|row| &row[inputs..]).map(|&value| value as f32).collect();
    Tensor::from_vec(maps, (inputs, outputs), device)
}

/// Solves linear equations by Gauss-Jordan elimination. Each row has `unknowns` coefficients and the right sides, which
/// become the solutions. It does not search for pivots, so no leading principal minor of the matrix may be 0.
pub(super) fn eliminate(equations: &mut [Vec<f64>], unknowns: usize) {
    for pivot in 0..unknowns {
        let scale = equations[pivot][pivot];
        equations[pivot].iter_mut().for_each(|value| *value /= scale);
        let solved = equations[pivot].clone();
        for (_, equation) in equations.iter_mut().enumerate().filter(|(row, _)| *row != pivot) {
            let share = equation[pivot];
            let (values, solved) = (&mut equation[pivot..], &solved[pivot..]);
            values.iter_mut().zip(solved).for_each(|(value, solved)| *value -= share * solved);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::noise::noise;

    #[test]
    fn least_squares_finds_the_planes_through_the_points() {
        let rows = Tensor::from_vec(noise(3, 1, 20, 2), (20, 2), &Device::Cpu).unwrap();
        let planes = [[2.0_f32, 0.0], [-0.5, 1.0], [0.25, -3.0]];
        let planes = Tensor::new(&planes, &Device::Cpu).unwrap();
        let [slopes, offset] = [planes.narrow(0, 0, 2).unwrap(), planes.narrow(0, 2, 1).unwrap()];
        let targets = rows.matmul(&slopes).unwrap().broadcast_add(&offset).unwrap();
        let found = least_squares(&rows, &targets).unwrap();
        let error = (found - &planes).unwrap().abs().unwrap().max_all().unwrap();
        assert!(error.to_scalar::<f32>().unwrap() < 1e-4);
    }
}
