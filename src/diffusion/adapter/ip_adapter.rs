//! IP-Adapters (Ye et al. 2023, arXiv:2308.06721): tokens of an image, with their own keys and values in each cross
//! attention of the denoiser.

use std::{path::Path, sync::Arc};

use candle_core::{DType, Device, Tensor};

use super::{
    AdapterError, AdapterPlaces, ClipVisionModel,
    projection::{Projection, ProjectionShape},
};
use crate::{
    diffusion::{DiffusionError, layers::Linear, weights::weights_of},
    model::{TensorSource, tensors::TensorFiles, tensors::dims},
};

/// IP-Adapter and IP-Adapter Plus.
#[derive(Clone, Debug)]
pub struct IpAdapter {
    name: String,
    projection: Projection,
    /// The layers for keys and values of each cross attention in which it acts.
    attentions: Vec<Option<[Linear; 2]>>,
    widths: Vec<usize>,
    /// The width of a token.
    token: usize,
    /// The width of the encoding of an image.
    encoding: usize,
}

/// The keys and values of an image's tokens in each cross attention of a denoiser, except where the image does not act.
#[derive(Clone, Debug)]
pub struct ImageKeys(Arc<[Option<KeyValue>]>);

/// The keys and values in one cross attention, each `(batch, tokens, width)`.
#[derive(Clone, Debug)]
pub(in crate::diffusion) struct KeyValue {
    pub(in crate::diffusion) key: Tensor,
    pub(in crate::diffusion) value: Tensor,
}

impl IpAdapter {
    /// Opens a safetensors file with the names of IP-Adapter, such as `ip-adapter-plus_sd15.safetensors`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn open(file: &Path, device: &Device) -> Result<Self, DiffusionError> {
        Self::load(Box::new(TensorFiles::open(file)?), device)
    }

    /// Loads an adapter from tensors with the names of IP-Adapter: `image_proj.*`, `ip_adapter.1.to_k_ip.weight` and so on.
    /// The sizes are those of the tensors.
    ///
    /// # Errors
    /// If a tensor is missing, or has an unexpected shape. If the adapter is of another kind, such as `FaceID`.
    pub fn load(tensors: Box<dyn TensorSource>, device: &Device) -> Result<Self, DiffusionError> {
        let shape = ProjectionShape::detect(&*tensors)?;
        // Of all attentions of a denoiser, every second one is a cross attention.
        let name = |index: usize| format!("ip_adapter.{}", 2 * index + 1);
        let key = |index: usize| format!("{}.to_k_ip.weight", name(index));
        let count = (0..).take_while(|index| tensors.contains(&key(*index))).count();
        let widths = (0..count).map(|index| dims(&*tensors, &key(index)).map(|[width, _]| width));
        let widths = widths.collect::<Result<Vec<_>, _>>()?;
        let file = tensors.files();
        let weights = weights_of(tensors, "this kind of IP-Adapter".to_owned(), device);
        let linear = |index: usize, part: &str| {
            let weights = weights.pp(name(index)).pp(part);
            Linear::load_without_bias(shape.width(), widths[index], &weights)
        };
        let attentions =
            (0..count).map(|at| Ok(Some([linear(at, "to_k_ip")?, linear(at, "to_v_ip")?])));
        Ok(Self {
            name: file,
            projection: Projection::load(shape, &weights.pp("image_proj"))?,
            attentions: attentions.collect::<Result<_, candle_core::Error>>()?,
            widths,
            token: shape.width(),
            encoding: shape.input(),
        })
    }

    /// This adapter in the cross attentions with these numbers only. It has no keys in others.
    #[must_use]
    pub fn only_in(mut self, attentions: &[usize]) -> Self {
        for (number, layers) in self.attentions.iter_mut().enumerate() {
            if !attentions.contains(&number) {
                *layers = None;
            }
        }
        self
    }

    /// Checks that an image encoder has the encoding that the projection reads.
    ///
    /// # Errors
    /// [`AdapterError::ImageEncoder`] if it does not.
    pub fn check_encoder(&self, encoder: &ClipVisionModel) -> Result<(), AdapterError> {
        let (what, found) = match self.projection {
            Projection::Plus(_) => ("hidden states", encoder.width()),
            Projection::Plain(_) => ("embeddings", encoder.embedding_width().unwrap_or(0)),
        };
        if found == self.encoding {
            return Ok(());
        }
        let (adapter, expected) = (self.name.clone(), self.encoding);
        Err(AdapterError::ImageEncoder { adapter, what, found, expected })
    }

    /// Checks that the keys match those of a denoiser, and the tokens those of its prompts. The models of Stable Diffusion
    /// 1 and 2 have equal keys, but not equal tokens.
    ///
    /// # Errors
    /// [`AdapterError::Attentions`] or [`AdapterError::OtherModel`] if they do not.
    pub fn check(&self, places: &AdapterPlaces) -> Result<(), AdapterError> {
        let adapter = self.name.clone();
        if self.widths != places.attentions {
            let (found, expected) = (self.widths.clone(), places.attentions.clone());
            return Err(AdapterError::Attentions { adapter, found, expected });
        }
        if self.token != places.tokens {
            let (found, expected) = (vec![self.token], vec![places.tokens]);
            return Err(AdapterError::OtherModel { adapter, what: "tokens", found, expected });
        }
        Ok(())
    }

    /// The tokens of images, `(batch, tokens, width)`. `encoded` are [`ClipVisionModel::hidden_states`] for IP-Adapter Plus,
    /// [`ClipVisionModel::embed`] for IP-Adapter.
    ///
    /// # Errors
    /// If the shape does not match.
    pub fn tokens(&self, encoded: &Tensor) -> Result<Tensor, DiffusionError> {
        Ok(self.projection.forward(encoded)?)
    }

    /// The keys and values of tokens.
    ///
    /// # Errors
    /// If the shape does not match.
    pub fn keys(&self, tokens: &Tensor) -> Result<ImageKeys, DiffusionError> {
        let keys = |[to_key, to_value]: &[Linear; 2]| {
            Ok(KeyValue { key: to_key.forward(tokens)?, value: to_value.forward(tokens)? })
        };
        let keys = self.attentions.iter().map(|layers| layers.as_ref().map(keys).transpose());
        Ok(ImageKeys(keys.collect::<candle_core::Result<_>>()?))
    }

    /// The keys and values of an image, `(1, 3, size, size)` as `encoder` reads it, and those that stand for no image in
    /// unconditional predictions. As in diffusers, the latter are those of an image of zeros for IP-Adapter Plus, and of an
    /// embedding of zeros for IP-Adapter.
    ///
    /// # Errors
    /// If the shape does not match, or if the encoder is for another adapter.
    pub fn keys_of_image(
        &self,
        encoder: &ClipVisionModel,
        image: &Tensor,
    ) -> Result<[ImageKeys; 2], DiffusionError> {
        let with_zeros = |x: &Tensor| Tensor::cat(&[x, &x.zeros_like()?], 0);
        let encoded = match self.projection {
            Projection::Plus(_) => encoder.hidden_states(&with_zeros(image)?)?,
            Projection::Plain(_) => with_zeros(&encoder.embed(image)?)?,
        };
        let keys = self.keys(&self.tokens(&encoded)?)?;
        Ok([keys.of(0)?, keys.of(1)?])
    }
}

impl ImageKeys {
    /// The number of cross attentions, also of those in which the image does not act.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no cross attentions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a gradient with respect to any of them is needed.
    pub(in crate::diffusion) fn needs_gradients(&self) -> bool {
        self.0.iter().flatten().any(|it| it.key.track_op() || it.value.track_op())
    }

    /// The same keys and values in another type.
    pub(in crate::diffusion) fn to_dtype(&self, dtype: DType) -> candle_core::Result<Self> {
        let of_type = |it: &KeyValue| {
            Ok(KeyValue { key: it.key.to_dtype(dtype)?, value: it.value.to_dtype(dtype)? })
        };
        let keys = self.0.iter().map(|it| it.as_ref().map(of_type).transpose());
        Ok(Self(keys.collect::<candle_core::Result<_>>()?))
    }

    /// The keys and values in a cross attention. `None` if the image does not act in it.
    pub(in crate::diffusion) fn get(&self, attention: usize) -> Option<&KeyValue> {
        self.0.get(attention)?.as_ref()
    }

    /// The batch of those of several conditionings, for the same image and adapter.
    pub(in crate::diffusion) fn batch(all: &[&Self]) -> candle_core::Result<Self> {
        let attentions = 0..all.iter().map(|keys| keys.len()).min().unwrap_or(0);
        let joined = |parts: &[&KeyValue], part: fn(&KeyValue) -> &Tensor| {
            Tensor::cat(&parts.iter().map(|it| part(it)).collect::<Vec<_>>(), 0)
        };
        let join = |parts: Vec<&KeyValue>| {
            let (key, value) = (joined(&parts, |it| &it.key)?, joined(&parts, |it| &it.value)?);
            Ok(KeyValue { key, value })
        };
        let keys = attentions.map(|attention| {
            let parts = all.iter().map(|keys| keys.get(attention));
            parts.collect::<Option<_>>().map(join).transpose()
        });
        Ok(Self(keys.collect::<candle_core::Result<_>>()?))
    }

    /// Those of one image of a batch.
    fn of(&self, image: usize) -> candle_core::Result<Self> {
        let part = |tensor: &Tensor| tensor.narrow(0, image, 1)?.contiguous();
        let keys = |it: &KeyValue| Ok(KeyValue { key: part(&it.key)?, value: part(&it.value)? });
        let keys = self.0.iter().map(|it| it.as_ref().map(keys).transpose());
        Ok(Self(keys.collect::<candle_core::Result<_>>()?))
    }
}
