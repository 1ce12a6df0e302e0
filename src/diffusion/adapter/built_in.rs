//! The adapters of the built-in model.

use std::cell::OnceCell;

use candle_core::Device;

use super::{
    AdapterError, AdapterInput, AdapterKind, AdapterPlaces, ClipVisionModel, IpAdapter,
    PictureAdapters, PixelMask, T2iAdapter, input,
};
use crate::{
    diffusion::{DiffusionError, Interrupt},
    loss::Frame,
    model::EmbeddedPackage,
};

/// The adapters of the built-in model. Each is loaded when a picture needs it first.
pub(in crate::diffusion) struct BuiltInAdapters {
    device: Device,
    places: AdapterPlaces,
    outline: OnceCell<T2iAdapter>,
    scribble: OnceCell<T2iAdapter>,
    style: OnceCell<IpAdapter>,
    content: OnceCell<IpAdapter>,
    encoder: OnceCell<ClipVisionModel>,
}

impl BuiltInAdapters {
    /// Adapters that act in these places of a denoiser.
    pub(in crate::diffusion) fn new(places: AdapterPlaces, device: Device) -> Self {
        Self {
            device,
            places,
            outline: OnceCell::new(),
            scribble: OnceCell::new(),
            style: OnceCell::new(),
            content: OnceCell::new(),
            encoder: OnceCell::new(),
        }
    }

    /// Adds an adapter to those of a picture, of which `frame` is sampled.
    pub(in crate::diffusion) fn add(
        &self,
        input: &AdapterInput,
        frame: &Frame,
        to: &mut PictureAdapters,
    ) -> Result<(), DiffusionError> {
        let AdapterInput { kind, image, schedule, mask } = input;
        let device = &self.device;
        let mask = mask.as_ref().map(|mask| PixelMask::new(&frame.cut_mask(mask)));
        let (adapter, input, shrink) = match kind {
            AdapterKind::Outline => {
                let adapter = self.picture_adapter(&self.outline, "outline")?;
                let side = adapter.downscale_factor();
                let input = input::outline(image, frame, side, device)?;
                (adapter, input, input::OUTLINE_SHRINK)
            }
            AdapterKind::Scribble => {
                let adapter = self.picture_adapter(&self.scribble, "scribble")?;
                let side = adapter.downscale_factor();
                let input = input::scribble(image, frame, side, device)?;
                (adapter, input, input::SCRIBBLE_SHRINK)
            }
            AdapterKind::Style | AdapterKind::Content => {
                let adapter = match kind {
                    AdapterKind::Style => self.image_adapter(&self.style, "style")?,
                    _ => self.image_adapter(&self.content, "content")?,
                };
                let encoder = self.encoder()?;
                let pixels = input::image(image, encoder.image_size(), device)?;
                to.add_image(adapter.keys_of_image(encoder, &pixels)?, mask, *schedule);
                return Ok(());
            }
        };
        let mut features = adapter.forward(&input)?;
        if let Some(mask) = mask {
            for (feature, cell) in features.iter_mut().zip(adapter.cells()) {
                *feature = feature.broadcast_mul(&mask.means(shrink * cell, device)?)?;
            }
        }
        to.add_features(features, *schedule);
        Ok(())
    }

    fn picture_adapter<'a>(
        &self,
        cell: &'a OnceCell<T2iAdapter>,
        component: &str,
    ) -> Result<&'a T2iAdapter, DiffusionError> {
        loaded(cell, || {
            let package = EmbeddedPackage::sketch_adapters();
            let adapter = T2iAdapter::load(&package, component, &self.device)?;
            adapter.check(&self.places)?;
            Ok(adapter)
        })
    }

    fn image_adapter<'a>(
        &self,
        cell: &'a OnceCell<IpAdapter>,
        component: &str,
    ) -> Result<&'a IpAdapter, DiffusionError> {
        loaded(cell, || {
            let file = format!("{component}/ip-adapter.safetensors");
            let tensors = EmbeddedPackage::sketch_adapters().tensor_file(&file)?;
            let adapter = IpAdapter::load(tensors, &self.device)?;
            adapter.check(&self.places)?;
            Ok(adapter)
        })
    }

    fn encoder(&self) -> Result<&ClipVisionModel, DiffusionError> {
        loaded(&self.encoder, || {
            ClipVisionModel::load(&EmbeddedPackage::sketch_clip(), "image_encoder", &self.device)
        })
    }
}

/// The network in a cell, which is loaded first if there is none.
fn loaded<T>(
    cell: &OnceCell<T>,
    load: impl FnOnce() -> Result<T, DiffusionError>,
) -> Result<&T, DiffusionError> {
    if let Some(network) = cell.get() {
        return Ok(network);
    }
    let network = load()?;
    Ok(cell.get_or_init(|| network))
}

impl PictureAdapters {
    /// Sets up the adapters of a picture, of which `frame` is sampled. `built_in` are those of the model, if it has any.
    pub(in crate::diffusion) fn new(
        inputs: &[AdapterInput],
        built_in: Option<&BuiltInAdapters>,
        frame: &Frame,
        interrupt: &Interrupt,
    ) -> Result<Self, DiffusionError> {
        let mut adapters = Self::default();
        for input in inputs {
            interrupt.check()?;
            input.check(frame.picture)?;
            let built_in = built_in.ok_or(AdapterError::NoAdapter { kind: input.kind })?;
            built_in.add(input, frame, &mut adapters)?;
        }
        Ok(adapters)
    }
}
