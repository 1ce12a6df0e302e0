//! Noise that is the same on every machine and device.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Standard normal noise for latents of `channels` by `height` by `width`, channel by channel and
/// row by row. It samples `rand_distr`'s ziggurat from `ChaCha8` seeded with `seed`. It never uses
/// a device's random generator, so each seed gives the same numbers everywhere.
#[must_use]
pub fn noise(seed: u64, channels: usize, height: usize, width: usize) -> Vec<f32> {
    stream(seed, 0, channels * height * width)
}

/// The noise that a stochastic scheduler adds in a step, independent of that of other steps and of the starting [`noise`].
/// Steps count from 0.
#[must_use]
pub fn step_noise(
    seed: u64,
    step: usize,
    channels: usize,
    height: usize,
    width: usize,
) -> Vec<f32> {
    stream(seed, step as u64 + 1, channels * height * width)
}

fn stream(seed: u64, stream: u64, count: usize) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    (0..count).map(|_| StandardNormal.sample(&mut random)).collect()
}

#[cfg(test)]
mod tests {
    use super::{noise, step_noise};

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

    #[test]
    fn the_noise_of_each_step_is_independent() {
        let all = [noise(1, 4, 64, 64), step_noise(1, 0, 4, 64, 64), step_noise(1, 1, 4, 64, 64)];
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            let product = all[a].iter().zip(&all[b]).map(|(a, b)| a * b).sum::<f32>();
            let correlation = product / all[a].len() as f32;
            assert!(correlation.abs() < 0.03, "{a}, {b}: {correlation}");
        }
        assert_eq!(step_noise(1, 1, 4, 64, 64), all[2]);
    }
}
