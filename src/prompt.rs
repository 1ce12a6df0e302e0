//! The notation of prompts, as in AUTOMATIC1111's web UI.
//!
//! | notation | meaning |
//! |---|---|
//! | `(red:1.3)` | the weight of these words is 1.3 |
//! | `(red)` | the weight is 1.1; brackets in brackets multiply |
//! | `[red]` | the weight is 1 / 1.1 |
//! | `\(` | the character `(`; likewise `)`, `[`, `]`, `{`, `}`, `\|` and `\` |
//! | `BREAK` | what follows is encoded separately |
//! | `{red\|blue}` | one of these, chosen by the seed of the picture |
//! | `<lora:mira:0.8>` | applies a LoRA; the text encoder does not see it |
//! | `embedding:easynegative` | the vectors of a textual inversion, in place of words |
//! | `# later` | a comment, to the end of the line |
//! | `{prompt}` | in the words of a style: the prompt of the picture, which the words then surround |

mod choices;
mod comments;
mod embedding_tags;
mod fragments;
mod long_prompt;
mod lora_tags;
mod reweight;
mod syntax;
pub(crate) mod words;

pub use choices::chosen;
pub use embedding_tags::{TextPiece, split_embedding_tags};
pub use fragments::{Fragment, MAX_WEIGHT, Prompt};
pub use long_prompt::{LongPrompt, MAX_PROMPT_TOKENS};
pub use lora_tags::{LoraTag, split_lora_tags};
pub use reweight::reweighted;
pub use syntax::PromptSyntax;
