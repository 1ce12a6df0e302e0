//! Numbered blocks of a transformer, one after another.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::{
    diffusion::{DiffusionError, Interrupt, weights::StoredWeights},
    ops::{Chain, Differentiable},
};

/// A block of a transformer.
pub(super) trait Block: Clone + Send + Sync + 'static {
    /// What a prediction has in common for several blocks.
    type Pass: Send + Sync + 'static;

    /// `x` is `(batch, tokens, width)`, and so is the result.
    ///
    /// # Errors
    /// If the shapes do not match.
    fn forward(&self, x: &Tensor, pass: &Self::Pass) -> Result<Tensor>;
}

/// Blocks with their names in diffusers, such as `layers.0`.
#[derive(Clone, Debug)]
pub(super) struct Blocks<B>(Vec<(String, B)>);

impl<B: Block> Blocks<B> {
    /// Loads the blocks `GROUP.0`, `GROUP.1` and so on.
    ///
    /// # Errors
    /// Those of `load`.
    pub(super) fn load(
        group: &str,
        count: usize,
        weights: &StoredWeights,
        load: impl Fn(&StoredWeights) -> Result<B>,
    ) -> Result<Self> {
        let one =
            |index: usize| Ok((format!("{group}.{index}"), load(&weights.pp(group).pp(index))?));
        (0..count).map(one).collect::<Result<_>>().map(Self)
    }

    /// These blocks, then others.
    pub(super) fn then(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut B> {
        self.0.iter_mut().map(|(_, block)| block)
    }

    /// The output of the last block. Calls `observe` with that of each block and its name.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] at most one block after an interrupt, which also stops the backward pass. Otherwise those
    /// of a block.
    pub(super) fn run(
        &self,
        x: &Tensor,
        pass: B::Pass,
        interrupt: &Interrupt,
        observe: &mut dyn FnMut(&str, &Tensor),
    ) -> std::result::Result<Tensor, DiffusionError> {
        let pass = Arc::new(pass);
        let mut chain = Chain::new(x);
        for (name, block) in &self.0 {
            interrupt.check()?;
            let (block, pass, interrupt) = (block.clone(), pass.clone(), interrupt.clone());
            chain.push(InPass { block, pass, interrupt })?;
            observe(name, chain.last());
        }
        Ok(chain.finish()?)
    }
}

/// A block in a prediction.
struct InPass<B: Block> {
    block: B,
    pass: Arc<B::Pass>,
    interrupt: Interrupt,
}

impl<B: Block> Differentiable for InPass<B> {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.block.forward(x, &self.pass)
    }

    fn gradient(&self, x: &Tensor, gradient: Tensor) -> Result<Tensor> {
        self.interrupt.check().map_err(candle_core::Error::wrap)?;
        (|x: &Tensor| self.block.forward(x, &self.pass)).gradient(x, gradient)
    }
}
