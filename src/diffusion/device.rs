//! The device that the networks run on.

use std::{fmt, str::FromStr};

use candle_core::{
    Device,
    utils::{cuda_is_available, metal_is_available},
};

use super::DiffusionError;
use crate::candle_error::without_backtrace;

/// The device that the networks run on. As text: `auto`, `cpu`, `cuda`, `cuda:1` and `metal`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// CUDA, then Metal, then the CPU: the first device that the build supports and that opens.
    #[default]
    Auto,
    /// The CPU.
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
    /// [`DiffusionError::Device`] if the build does not support the device or if the device cannot be opened.
    /// [`Self::Auto`] never fails: it logs a warning for each supported device that cannot be opened, and falls back to
    /// the CPU.
    pub fn open(self) -> Result<Device, DiffusionError> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(_) if !cuda_is_available() => Err(self.unavailable("cuda")),
            Self::Metal if !metal_is_available() => Err(self.unavailable("metal")),
            Self::Cuda(card) => Device::new_cuda(card).map_err(|error| self.failed(error)),
            Self::Metal => Device::new_metal(0).map_err(|error| self.failed(error)),
            Self::Auto => {
                let supported =
                    [(Self::Cuda(0), cuda_is_available()), (Self::Metal, metal_is_available())];
                let supported = supported.into_iter().filter_map(|(kind, is)| is.then_some(kind));
                let (device, failures) = first_that_opens(supported, Self::open);
                for failure in failures {
                    log::warn!("{}", fallback_warning(&failure));
                }
                Ok(device)
            }
        }
    }

    /// Whether it is the CPU. [`Self::Auto`] is, if the build supports nothing else.
    pub(crate) fn is_cpu(self) -> bool {
        match self {
            Self::Cpu => true,
            Self::Auto => !cuda_is_available() && !metal_is_available(),
            Self::Cuda(_) | Self::Metal => false,
        }
    }

    fn unavailable(self, feature: &str) -> DiffusionError {
        let reason = format!("build with the feature `{feature}`, or choose \"cpu\"");
        DiffusionError::Device { device: self.to_string(), reason }
    }

    fn failed(self, error: candle_core::Error) -> DiffusionError {
        let reason = without_backtrace(error).to_string();
        DiffusionError::Device { device: self.to_string(), reason }
    }
}

/// Opens the first device that works, otherwise the CPU. Also returns the errors of the devices tried before.
fn first_that_opens(
    kinds: impl IntoIterator<Item = DeviceKind>,
    open: impl Fn(DeviceKind) -> Result<Device, DiffusionError>,
) -> (Device, Vec<DiffusionError>) {
    let mut failures = Vec::new();
    for kind in kinds {
        match open(kind) {
            Ok(device) => return (device, failures),
            Err(error) => failures.push(error),
        }
    }
    (Device::Cpu, failures)
}

fn fallback_warning(failure: &DiffusionError) -> String {
    format!(
        "{failure}; trying the next device instead. Check the driver and that no other program uses up the device's \
         memory, or choose \"cpu\" to avoid this warning"
    )
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
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn device_names_round_trip() {
        for kind in [DeviceKind::Auto, DeviceKind::Cpu, DeviceKind::Cuda(3), DeviceKind::Metal] {
            assert_eq!(kind.to_string().parse::<DeviceKind>().unwrap(), kind);
        }
        assert_eq!("cuda".parse::<DeviceKind>().unwrap(), DeviceKind::Cuda(0));
    }

    #[test]
    fn an_unknown_device_name_lists_the_known_ones() {
        for name in ["", "gpu", "cuda:", "cuda:-1", "cuda1", "CPU"] {
            let message = name.parse::<DeviceKind>().unwrap_err().to_string();
            assert!(message.contains(&format!("\"{name}\"")), "{message}");
            assert!(message.contains("auto, cpu, cuda"), "{message}");
        }
    }

    #[test]
    fn auto_stops_at_the_first_device_that_opens() {
        let tried = RefCell::new(Vec::new());
        let open = |kind: DeviceKind| {
            tried.borrow_mut().push(kind);
            if kind == DeviceKind::Cuda(0) {
                Err(kind.unavailable("cuda"))
            } else {
                Ok(Device::Cpu)
            }
        };
        let kinds = [DeviceKind::Cuda(0), DeviceKind::Metal, DeviceKind::Cuda(1)];
        let (_, failures) = first_that_opens(kinds, open);
        assert_eq!(failures.len(), 1);
        assert_eq!(tried.into_inner(), [DeviceKind::Cuda(0), DeviceKind::Metal]);
    }

    #[test]
    fn auto_falls_back_to_the_cpu_and_warns_of_each_device_that_does_not_open() {
        let driver = || candle_core::Error::Msg("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH".to_owned());
        let (device, failures) =
            first_that_opens([DeviceKind::Cuda(0), DeviceKind::Metal], |kind| {
                Err(kind.failed(driver()))
            });
        assert!(device.is_cpu());
        let warnings = failures.iter().map(fallback_warning).collect::<Vec<_>>();
        for (warning, name) in warnings.iter().zip(["cuda:0", "metal"]) {
            assert!(warning.contains(name) && warning.contains("DRIVER_MISMATCH"), "{warning}");
            assert!(warning.contains("driver") && warning.contains("\"cpu\""), "{warning}");
        }
        assert_eq!(warnings.len(), 2);
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn an_unsupported_device_names_the_missing_feature() {
        let message = DeviceKind::Cuda(1).open().unwrap_err().to_string();
        assert!(message.contains("cuda:1") && message.contains("feature `cuda`"), "{message}");
    }
}
