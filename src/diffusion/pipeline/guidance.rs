//! Two answers of the network, under what is wanted and what is not, made into one.

use candle_core::{Result, Tensor};

use crate::recipe::Sampler;

/// How far an answer is moved away from the negative prompt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guidance {
    scale: f64,
    rescale: f64,
}

impl Guidance {
    /// A sampler's guidance, `strength` times as strong; none where its scale is 1 or less.
    pub(super) fn new(sampler: &Sampler, strength: f32) -> Option<Self> {
        (sampler.guidance > 1.0).then(|| Self {
            scale: f64::from(sampler.guidance * strength),
            rescale: f64::from(sampler.guidance_rescale),
        })
    }

    /// Moves the answer for one picture (Ho & Salimans 2022, arXiv:2207.12598), and takes back contrast that this
    /// gave it (Lin et al. 2023, arXiv:2305.08891, equations 15 and 16).
    pub(super) fn applied(&self, wanted: &Tensor, negative_prompt: &Tensor) -> Result<Tensor> {
        let guided = (negative_prompt + ((wanted - negative_prompt)? * self.scale)?)?;
        if self.rescale == 0.0 {
            return Ok(guided);
        }
        let as_wanted = (deviation(wanted)? / deviation(&guided)?)?;
        guided.broadcast_mul(&as_wanted.affine(self.rescale, 1.0 - self.rescale)?)
    }
}

/// The standard deviation over all channels and latents.
fn deviation(answer: &Tensor) -> Result<Tensor> {
    answer.flatten_all()?.var(0)?.sqrt()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn rescaling_takes_back_its_share_of_the_contrast_that_guidance_adds() -> Result<()> {
        let answer = |values: &[f32; 4]| Tensor::from_slice(values, (1, 1, 2, 2), &Device::Cpu);
        let (wanted, negative_prompt) = (answer(&[1.0, -1.0, 3.0, -3.0])?, answer(&[0.0; 4])?);
        // Guided it is 5 times as strong; half of that at a fifth again, and half as it is, is 3 times.
        for (guidance_rescale, times) in [(0.0, 5.0), (0.5, 3.0), (1.0, 1.0)] {
            let sampler = Sampler { guidance: 5.0, guidance_rescale, ..Sampler::default() };
            let guidance = Guidance::new(&sampler, 1.0).expect("5 is guidance");
            let found = guidance.applied(&wanted, &negative_prompt)?;
            let off = (found - (&wanted * times)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(off < 1e-5, "{guidance_rescale}: off by {off}");
        }
        Ok(())
    }

    #[test]
    fn a_scale_of_1_is_no_guidance() {
        let of = |guidance| Guidance::new(&Sampler { guidance, ..Sampler::default() }, 2.0);
        assert!(of(1.0).is_none() && of(0.0).is_none() && of(1.5).is_some());
    }
}
