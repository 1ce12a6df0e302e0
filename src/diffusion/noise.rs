//! Starting noise that is the same on every machine and device.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Standard normal noise for latents of `channels` by `height` by `width`, channel by channel and
/// row by row. It samples `rand_distr`'s ziggurat from `ChaCha8` seeded with `seed`. It never uses
/// a device's random generator, so each seed gives the same numbers everywhere.
#[must_use]
pub fn noise(seed: u64, channels: usize, height: usize, width: usize) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let normal = |_| StandardNormal.sample(&mut random);
    (0..channels * height * width).map(normal).collect()
}

#[cfg(test)]
mod tests {
    use super::noise;

    #[test]
    fn noise_is_the_same_in_all_versions() {
        // If these numbers change, every existing picture changes when it is drawn again.
        assert_eq!(noise(0, 1, 2, 2), [0.69996077, -0.14406164, 0.30288628, -1.3745139]);
        assert_eq!(noise(u64::MAX, 4, 1, 1), [0.45103, -0.12931526, -0.2059483, -0.18543614]);
    }

    #[test]
    fn noise_is_normal_and_differs_between_seeds() {
        let a = noise(1, 4, 64, 64);
        let mean = a.iter().sum::<f32>() / a.len() as f32;
        let variance = a.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / a.len() as f32;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        let b = noise(2, 4, 64, 64);
        let shared = a.iter().zip(&b).filter(|(a, b)| a == b).count();
        assert!(shared < 10, "{shared}");
    }
}
