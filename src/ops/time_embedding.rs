//! Sinusoidal timestep embeddings.

use candle_core::{Device, Result, Tensor};

/// The sines and cosines of `timestep` at `width / 2` frequencies from 1 down to 1/10000 (Ho, Jain and Abbeel
/// 2020), `(1, width)` in f32. `cosines_first` and `shift` are `flip_sin_to_cos` and `freq_shift` in diffusers. An odd
/// width is padded with a zero.
///
/// # Errors
/// If the device cannot allocate the tensor.
pub fn time_embedding(
    timestep: f64,
    width: usize,
    cosines_first: bool,
    shift: f64,
    device: &Device,
) -> Result<Tensor> {
    let half = width / 2;
    // All in f32, as in training: at high timesteps the rounding error is part of the result.
    let angles = (0..half).map(|index| {
        let exponent = -(10_000_f64.ln() as f32) * index as f32 / (half as f64 - shift) as f32;
        timestep as f32 * f64::from(exponent).exp() as f32
    });
    let sines = angles.clone().map(f32::sin);
    let cosines = angles.map(f32::cos);
    let mut values: Vec<f32> =
        if cosines_first { cosines.chain(sines).collect() } else { sines.chain(cosines).collect() };
    values.resize(width, 0.0);
    Tensor::from_vec(values, (1, width), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embed(timestep: f64, width: usize, cosines_first: bool, shift: f64) -> Vec<f32> {
        let embedding = time_embedding(timestep, width, cosines_first, shift, &Device::Cpu);
        embedding.unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn timestep_zero_has_zero_sines_and_unit_cosines() {
        assert_eq!(embed(0.0, 4, true, 0.0), [1.0, 1.0, 0.0, 0.0]);
        assert_eq!(embed(0.0, 4, false, 0.0), [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(embed(0.0, 5, false, 0.0), [0.0, 0.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn a_shift_of_one_makes_the_last_frequency_a_ten_thousandth() {
        let slow = |shift| embed(100.0, 4, false, shift)[1];
        assert!((slow(1.0) - 0.01_f32.sin()).abs() < 1e-7);
        assert!((slow(0.0) - 1.0_f32.sin()).abs() < 1e-6);
    }
}
