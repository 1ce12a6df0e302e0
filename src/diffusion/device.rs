//! The choice of the device that the networks run on.

use std::{fmt, str::FromStr};

use candle_core::{
    Device,
    utils::{cuda_is_available, metal_is_available},
};

use super::DiffusionError;

/// Which device the networks run on. Written as `auto`, `cpu`, `cuda`, `cuda:1` or `metal`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// The best there is: CUDA, then Metal, then the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// A CUDA card by number (feature `cuda`).
    Cuda(usize),
    /// The Metal device (feature `metal`).
    Metal,
}

impl DeviceKind {
    /// Opens the device.
    ///
    /// # Errors
    /// [`DiffusionError::Device`] when the crate was built without support for it, or when the
    /// machine has no such device. [`Self::Auto`] falls back to the processor and never fails.
    pub fn open(self) -> Result<Device, DiffusionError> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(_) if !cuda_is_available() => Err(self.unavailable("cuda")),
            Self::Metal if !metal_is_available() => Err(self.unavailable("metal")),
            Self::Cuda(card) => Device::new_cuda(card).map_err(|error| self.failed(&error)),
            Self::Metal => Device::new_metal(0).map_err(|error| self.failed(&error)),
            Self::Auto => Ok([Self::Cuda(0), Self::Metal]
                .into_iter()
                .find_map(|kind| kind.open().ok())
                .unwrap_or(Device::Cpu)),
        }
    }

    fn unavailable(self, feature: &str) -> DiffusionError {
        let reason = format!("build with the feature `{feature}`, or choose \"cpu\"");
        DiffusionError::Device { device: self.to_string(), reason }
    }

    fn failed(self, error: &candle_core::Error) -> DiffusionError {
        DiffusionError::Device { device: self.to_string(), reason: error.to_string() }
    }
}

impl FromStr for DeviceKind {
    type Err = DiffusionError;

    fn from_str(text: &str) -> Result<Self, DiffusionError> {
        let unknown = || DiffusionError::Device {
            device: text.to_owned(),
            reason: "choose one of auto, cpu, cuda, cuda:1 (a card by number), metal".to_owned(),
        };
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "metal" => Ok(Self::Metal),
            _ => {
                let card = text.strip_prefix("cuda:").ok_or_else(unknown)?;
                card.parse().map(Self::Cuda).map_err(|_| unknown())
            }
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(card) => write!(f, "cuda:{card}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_read_from_the_name_it_is_written_as() {
        for kind in [DeviceKind::Auto, DeviceKind::Cpu, DeviceKind::Cuda(3), DeviceKind::Metal] {
            assert_eq!(kind.to_string().parse::<DeviceKind>().unwrap(), kind);
        }
        assert_eq!("cuda".parse::<DeviceKind>().unwrap(), DeviceKind::Cuda(0));
    }

    #[test]
    fn an_unknown_device_is_told_which_ones_there_are() {
        for name in ["", "gpu", "cuda:", "cuda:-1", "cuda1", "CPU"] {
            let message = name.parse::<DeviceKind>().unwrap_err().to_string();
            assert!(message.contains(&format!("\"{name}\"")), "{message}");
            assert!(message.contains("auto, cpu, cuda"), "{message}");
        }
    }

    #[test]
    fn auto_always_opens_something() {
        assert!(DeviceKind::Auto.open().is_ok());
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_that_was_not_built_in_names_its_feature() {
        let message = DeviceKind::Cuda(1).open().unwrap_err().to_string();
        assert!(message.contains("cuda:1") && message.contains("feature `cuda`"), "{message}");
    }
}
