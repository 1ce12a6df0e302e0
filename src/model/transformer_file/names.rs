//! The names of the tensors of a transformer in a file.

use crate::model::tensors::{Stored, View};

/// The possible prefixes of all names.
const PREFIXES: [&str; 3] = ["", "model.diffusion_model.", "diffusion_model."];

/// The names of the tensors in a file.
#[derive(Clone, Copy, Debug)]
pub(in crate::model) struct Names {
    prefix: &'static str,
    layout: Layout,
}

/// Names without a prefix.
#[derive(Clone, Copy, Debug)]
pub(in crate::model) enum Layout {
    Diffusers,
    /// Those of the original program: where it has a tensor with a name of diffusers. `None` if both names are the same.
    Original(fn(&str) -> Option<(String, View)>),
}

impl Names {
    /// The names in a file. `has` tells whether a tensor exists, and `layout` what its names without prefix are.
    pub(super) fn of(
        layout: fn(&dyn Fn(&str) -> bool) -> Option<Layout>,
        has: &dyn Fn(&str) -> bool,
    ) -> Option<Self> {
        PREFIXES.into_iter().find_map(|prefix| {
            let layout = layout(&|name| has(&format!("{prefix}{name}")))?;
            Some(Self { prefix, layout })
        })
    }

    /// The name of a tensor in the file without the prefix. `None` if it does not have the prefix.
    pub(super) fn without_prefix(self, name: &str) -> Option<&str> {
        name.strip_prefix(self.prefix)
    }

    /// Where the file has a tensor with this name in diffusers.
    pub(super) fn stored(self, name: &str) -> Stored {
        let original = match self.layout {
            Layout::Diffusers => None,
            Layout::Original(original) => original(name),
        };
        let (name, view) = original.unwrap_or_else(|| (name.to_owned(), View::Whole));
        Stored { name: format!("{}{name}", self.prefix), view }
    }
}
