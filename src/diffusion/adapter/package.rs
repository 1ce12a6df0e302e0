//! The adapters in the package of a model.

use std::{cell::OnceCell, sync::Arc};

use candle_core::{DType, Device};

use super::{
    AdapterError, AdapterPlaces, AdapterSchedule, ClipVisionModel, ControlNet, IpAdapter,
    PictureAdapters, PixelMask, SingleFile, T2iAdapter, input,
};
use crate::{
    diffusion::{DiffusionError, Interrupt, memory_budget::MemoryBudget},
    loss::{Frame, image_of},
    mask::Mask,
    model::{
        Package,
        package::{PinnedPackage, config_file},
    },
    recipe::{ImageUse, Images, Inspiration, InspirationKind},
};

const IMAGE_ENCODER: &str = "adapters/image_encoder";

/// The adapters of a model: at most one for each use of an image. Each is loaded when a picture first needs it.
pub(in crate::diffusion) struct ModelAdapters {
    package: PinnedPackage,
    places: AdapterPlaces,
    /// Pixels along each side of a latent.
    scale: usize,
    device: Device,
    /// The type that ControlNets compute in, which run in each step. Other networks run once for a picture, in f32.
    dtype: DType,
    /// Those in the package.
    adapters: Vec<(ImageUse, OnceCell<Adapter>)>,
    encoder: OnceCell<ClipVisionModel>,
}

/// The network of an adapter.
enum Adapter {
    /// Reads an image in the shape of the picture.
    T2i(T2iAdapter),
    /// Reads a drawing in the shape of the picture in each step.
    Control(Arc<ControlNet>),
    /// Reads an image of any size.
    Ip(IpAdapter),
}

/// The inspirations of a part or of the whole picture.
pub(in crate::diffusion) struct PartInspirations<'a> {
    pub inspirations: &'a [Inspiration],
    /// The images that these refer to.
    pub images: &'a Images,
    /// The pixels that they change. `None`: all.
    pub mask: Option<&'a Mask>,
    /// The denoising strength: the share of the steps that are run.
    pub strength: f32,
}

/// How an adapter is loaded.
#[derive(Clone, Copy)]
struct Load<'a> {
    memory: &'a MemoryBudget,
    interrupt: &'a Interrupt,
}

/// The component with the adapter for a use.
const fn component(usage: ImageUse) -> &'static str {
    match usage {
        ImageUse::Outline => "adapters/outline",
        ImageUse::Scribble => "adapters/scribble",
        ImageUse::Style => "adapters/style",
        ImageUse::Content => "adapters/content",
        ImageUse::Reference => "adapters/reference",
    }
}

impl ModelAdapters {
    /// The adapters of a package, which act in these places of a denoiser that computes in `dtype`. `scale` is the pixels along
    /// each side of a latent.
    pub(in crate::diffusion) fn new(
        package: PinnedPackage,
        places: AdapterPlaces,
        scale: usize,
        dtype: DType,
        device: &Device,
    ) -> Self {
        let is_in_package = |usage: &ImageUse| package.package.has_component(component(*usage));
        let found = ImageUse::ALL.into_iter().filter(is_in_package);
        let adapters = found.map(|usage| (usage, OnceCell::new())).collect();
        let (device, encoder) = (device.clone(), OnceCell::new());
        Self { package, places, scale, device, dtype, adapters, encoder }
    }

    /// Whether there is an adapter for images of this use.
    pub(in crate::diffusion) fn has(&self, usage: ImageUse) -> bool {
        self.adapters.iter().any(|(other, _)| *other == usage)
    }

    /// Checks that all adapters of a package can be loaded. It has the same files, and may have shapes only.
    pub(in crate::diffusion) fn check(&self, package: &dyn Package) -> Result<(), DiffusionError> {
        self.adapters.iter().try_for_each(|(usage, _)| self.check_adapter(*usage, package))
    }

    /// As [`Self::check`], for the adapter or the image encoder of a component.
    pub(in crate::diffusion) fn check_component(
        &self,
        name: &str,
        package: &dyn Package,
    ) -> Result<(), DiffusionError> {
        match self.adapters.iter().find(|(usage, _)| component(*usage) == name) {
            Some((usage, _)) => self.check_adapter(*usage, package),
            None => self.load_encoder(package).map(|_| ()),
        }
    }

    fn check_adapter(&self, usage: ImageUse, package: &dyn Package) -> Result<(), DiffusionError> {
        if let Adapter::Ip(adapter) = self.load(usage, package)? {
            adapter.check_encoder(&self.load_encoder(package)?)?;
        }
        Ok(())
    }

    /// Sets up the adapters of a picture, of which `frame` is sampled. Those that are not in memory are loaded within `memory`.
    pub(in crate::diffusion) fn of_picture(
        &self,
        parts: &[PartInspirations<'_>],
        frame: &Frame,
        memory: &MemoryBudget,
        interrupt: &Interrupt,
    ) -> Result<PictureAdapters, DiffusionError> {
        let mut adapters = PictureAdapters::default();
        for part in parts {
            for inspiration in part.inspirations {
                interrupt.check()?;
                let load = Load { memory, interrupt };
                self.add(inspiration, part, frame, load, &mut adapters)?;
            }
        }
        Ok(adapters)
    }

    fn add(
        &self,
        inspiration: &Inspiration,
        part: &PartInspirations<'_>,
        frame: &Frame,
        load: Load<'_>,
        to: &mut PictureAdapters,
    ) -> Result<(), DiffusionError> {
        let InspirationKind::Image(usage, id) = &inspiration.kind else { return Ok(()) };
        let Some((_, cell)) = self.adapters.iter().find(|(other, _)| other == usage) else {
            return Ok(());
        };
        let in_shape = || frame.image(usage.name(), id, part.images);
        if *usage == ImageUse::Scribble && input::is_transparent(&in_shape()?) {
            return Ok(());
        }
        let adapter = self.loaded(cell, load, |package| self.load(*usage, package))?;
        let [from, until] = inspiration.steps(part.strength);
        // Without the small subtraction, the first step could be slightly before this one.
        let schedule = AdapterSchedule { weight: inspiration.weight, from: from - 1e-4, to: until };
        let mask = part.mask.map(|mask| frame.cut_mask(mask));
        let device = &self.device;
        match adapter {
            Adapter::T2i(adapter) => {
                let drawing = in_shape()?;
                let input = input::drawing(*usage, &drawing, adapter, device)?;
                let mut features = adapter.forward(&input)?;
                if let Some(mask) = input::mask(*usage, &drawing, mask, 0) {
                    for (feature, cell) in features.iter_mut().zip(adapter.cells()) {
                        *feature = feature.broadcast_mul(&mask.means(cell, device)?)?;
                    }
                }
                to.add_features(features, schedule);
            }
            Adapter::Control(network) => {
                let drawing = in_shape()?;
                let lines = input::lines(*usage, &drawing);
                let reach = input::reach(network.cells(), &drawing);
                let masks = input::mask(*usage, &drawing, mask, reach).map(|mask| {
                    let means = network.cells().map(|cell| mask.means(cell, device));
                    means.collect::<Result<Arc<[_]>, _>>()
                });
                let input = input::padded(&lines, network.downscale_factor(), device)?;
                let drawing = network.embed(&input)?;
                to.add_control(Arc::clone(network), drawing, masks.transpose()?, schedule);
            }
            Adapter::Ip(adapter) => {
                let encoder =
                    self.loaded(&self.encoder, load, |package| self.load_encoder(package))?;
                adapter.check_encoder(encoder)?;
                let side = encoder.image_size();
                let pixels = match usage {
                    ImageUse::Style | ImageUse::Reference => {
                        let image = image_of(usage.name(), id, part.images)?;
                        input::for_clip(image, side, device)?
                    }
                    _ => input::for_clip(&in_shape()?, side, device)?,
                };
                let mask = mask.as_ref().map(PixelMask::new);
                to.add_image(adapter.keys_of_image(encoder, &pixels)?, mask, schedule);
            }
        }
        Ok(())
    }

    /// The network in a cell, which is loaded first if there is none.
    fn loaded<'a, T>(
        &self,
        cell: &'a OnceCell<T>,
        Load { memory, interrupt }: Load<'_>,
        load: impl Fn(&dyn Package) -> Result<T, DiffusionError>,
    ) -> Result<&'a T, DiffusionError> {
        if let Some(network) = cell.get() {
            return Ok(network);
        }
        let network = memory.load(&self.package, interrupt, load)?;
        Ok(cell.get_or_init(|| network))
    }

    /// Loads the adapter for a use. Its class is that of its configuration. Without one, it is what its tensors show.
    fn load(&self, usage: ImageUse, package: &dyn Package) -> Result<Adapter, DiffusionError> {
        let component = component(usage);
        if package.has(&config_file(component)) {
            return self.load_drawing(usage, package);
        }
        if let Some(file) = SingleFile::detect(package, component, &self.places)? {
            return self.load_drawing(usage, &file);
        }
        let adapter = IpAdapter::load(package.tensors(component)?, &self.device)?;
        adapter.check(&self.places)?;
        Ok(Adapter::Ip(match usage {
            ImageUse::Style => adapter.only_in(&self.places.style),
            ImageUse::Content => adapter.only_in(&self.places.layout),
            ImageUse::Outline | ImageUse::Scribble | ImageUse::Reference => adapter,
        }))
    }

    /// Loads a ControlNet or a T2I-Adapter.
    fn load_drawing(
        &self,
        usage: ImageUse,
        package: &dyn Package,
    ) -> Result<Adapter, DiffusionError> {
        let component = component(usage);
        if ControlNet::is_at(package, component)? {
            let network = ControlNet::load_in(package, component, self.dtype, &self.device)?
                .for_type(input::control_type(usage));
            network.check(&self.places)?;
            self.check_scale(package, component, network.downscale_factor())?;
            if matches!(usage, ImageUse::Style | ImageUse::Reference) {
                let (adapter, usage) = (package.location(&config_file(component)), usage.name());
                return Err(AdapterError::NoDrawing { adapter, usage }.into());
            }
            return Ok(Adapter::Control(Arc::new(network)));
        }
        let adapter = T2iAdapter::load(package, component, &self.device)?;
        adapter.check(&self.places)?;
        let first_cell = self.places.cells.first().copied().unwrap_or(1);
        self.check_scale(package, component, adapter.downscale_factor() / first_cell)?;
        input::check_channels(usage, &adapter)?;
        Ok(Adapter::T2i(adapter))
    }

    /// Checks the pixels along each side of a latent that an adapter was trained for.
    fn check_scale(
        &self,
        package: &dyn Package,
        component: &str,
        found: usize,
    ) -> Result<(), AdapterError> {
        if found == self.scale {
            return Ok(());
        }
        let (adapter, expected) = (package.location(&config_file(component)), self.scale);
        Err(AdapterError::Scale { adapter, found, expected })
    }

    fn load_encoder(&self, package: &dyn Package) -> Result<ClipVisionModel, DiffusionError> {
        let config = config_file(IMAGE_ENCODER);
        if !package.has(&config) {
            let [file, folder] =
                [config.as_str(), IMAGE_ENCODER].map(|path| package.location(path));
            return Err(AdapterError::NoImageEncoder { file, folder }.into());
        }
        ClipVisionModel::load(package, IMAGE_ENCODER, &self.device)
    }
}
