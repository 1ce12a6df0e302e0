//! The precision that denoisers compute in.

use std::{fmt, str::FromStr};

use candle_core::{DType, Device, Tensor};

use super::DiffusionError;

/// The numbers that a denoiser computes with. As text: `auto`, `f32`, `f16` and `bf16`.
///
/// Schedulers, guidance, losses, text encoders and autoencoders always compute in f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// f32 on the CPU. On a graphics card, f16 for Stable Diffusion and bf16 for transformers, which are the
    /// types that they are published in, or f32 if the card does not compute in these.
    #[default]
    Auto,
    /// 32 bits.
    F32,
    /// 16 bits, of which 11 are significant. The largest number is 65504, which transformers exceed: they refuse it.
    F16,
    /// 16 bits, of which 8 are significant, with the range of f32.
    BF16,
}

impl Precision {
    /// The precision of a number type. Other types than those of 16 bits count as f32.
    #[must_use]
    pub fn of(dtype: DType) -> Self {
        match dtype {
            DType::F16 => Self::F16,
            DType::BF16 => Self::BF16,
            _ => Self::F32,
        }
    }

    /// The number type of a UNet on a device.
    ///
    /// # Errors
    /// [`DiffusionError::Precision`] if the device does not compute in it.
    pub(super) fn of_unet(self, device: &Device) -> Result<DType, DiffusionError> {
        self.resolve(DType::F16, device.is_cpu(), |dtype| computes_in(dtype, device))
    }

    /// The number type of a transformer on a device.
    ///
    /// # Errors
    /// [`DiffusionError::Precision`] for f16, or if the device does not compute in it.
    pub(super) fn of_transformer(self, device: &Device) -> Result<DType, DiffusionError> {
        if self == Self::F16 {
            // diffusers runs both in bf16. In f16 its transformer of FLUX.2 clips numbers, which draws other pictures, and that
            // of Z-Image does not.
            return Err(self.unusable(
                "numbers inside this transformer exceed the largest one of f16: choose auto, bf16 or f32",
            ));
        }
        self.resolve(DType::BF16, device.is_cpu(), |dtype| computes_in(dtype, device))
    }

    /// The number type. `usual` is that of [`Self::Auto`] on a graphics card.
    fn resolve(
        self,
        usual: DType,
        is_cpu: bool,
        works: impl Fn(DType) -> bool,
    ) -> Result<DType, DiffusionError> {
        let chosen = match self {
            Self::Auto if is_cpu => return Ok(DType::F32),
            Self::Auto if works(usual) => return Ok(usual),
            Self::Auto => {
                let usual = Self::of(usual);
                log::warn!("the graphics card does not compute in {usual}: the denoiser uses f32");
                return Ok(DType::F32);
            }
            Self::F32 => return Ok(DType::F32),
            Self::F16 => DType::F16,
            Self::BF16 => DType::BF16,
        };
        match works(chosen) {
            true => Ok(chosen),
            false => Err(self.unusable("the device does not compute in it: choose auto or f32")),
        }
    }

    fn unusable(self, reason: &str) -> DiffusionError {
        DiffusionError::Precision { precision: self.to_string(), reason: reason.to_owned() }
    }
}

/// Whether a device computes in a type. candle's `supports_bf16` says so of every CUDA card, but older ones have no kernels of
/// bf16: one is tried.
fn computes_in(dtype: DType, device: &Device) -> bool {
    let sum = || {
        let ones = Tensor::ones((2, 2), dtype, device)?;
        let twos_and_ones = (ones.matmul(&ones)? + ones)?;
        twos_and_ones.to_dtype(DType::F32)?.sum_all()?.to_scalar::<f32>()
    };
    sum().is_ok_and(|sum| sum == 12.0)
}

impl FromStr for Precision {
    type Err = DiffusionError;

    fn from_str(text: &str) -> Result<Self, DiffusionError> {
        let all = [Self::Auto, Self::F32, Self::F16, Self::BF16];
        let found = all.into_iter().find(|precision| precision.to_string() == text);
        found.ok_or_else(|| DiffusionError::Precision {
            precision: text.to_owned(),
            reason: "choose one of auto, f32, f16, bf16".to_owned(),
        })
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_an_unknown_one_lists_the_known_ones() {
        for precision in [Precision::Auto, Precision::F32, Precision::F16, Precision::BF16] {
            assert_eq!(precision.to_string().parse::<Precision>().unwrap(), precision);
        }
        for name in ["", "half", "fp16", "BF16"] {
            let message = name.parse::<Precision>().unwrap_err().to_string();
            assert!(message.contains(&format!("\"{name}\"")), "{message}");
            assert!(message.contains("auto, f32, f16, bf16"), "{message}");
        }
    }

    #[test]
    fn the_cpu_computes_in_f32_unless_told_otherwise() {
        let cpu = Device::Cpu;
        for (precision, of_unet) in [
            (Precision::Auto, DType::F32),
            (Precision::F32, DType::F32),
            (Precision::F16, DType::F16),
            (Precision::BF16, DType::BF16),
        ] {
            assert_eq!(precision.of_unet(&cpu).unwrap(), of_unet);
            if precision != Precision::F16 {
                assert_eq!(precision.of_transformer(&cpu).unwrap(), of_unet);
            }
        }
    }

    #[test]
    fn a_graphics_card_computes_in_the_usual_type_if_it_can() {
        let auto = |usual, works: bool| Precision::Auto.resolve(usual, false, |_| works).unwrap();
        assert_eq!(auto(DType::F16, true), DType::F16);
        assert_eq!(auto(DType::BF16, true), DType::BF16);
        assert_eq!(auto(DType::BF16, false), DType::F32);
        let refused = Precision::BF16.resolve(DType::F16, false, |_| false).unwrap_err();
        let message = refused.to_string();
        assert!(message.contains("\"bf16\"") && message.contains("auto or f32"), "{message}");
    }

    #[test]
    fn transformers_refuse_f16_and_name_the_others() {
        let message = Precision::F16.of_transformer(&Device::Cpu).unwrap_err().to_string();
        assert!(message.contains("\"f16\"") && message.contains("bf16 or f32"), "{message}");
    }
}
