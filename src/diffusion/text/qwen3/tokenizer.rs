//! Qwen's tokenizer, with the text around a prompt that the pipeline adds.

use std::collections::BTreeMap;

use serde::Deserialize;
use tokenizers::Tokenizer;

use crate::{
    diffusion::{
        DiffusionError,
        text::tokenizer::{
            Token,
            vocabulary::{Added, Vocabulary},
        },
    },
    model::{
        Package,
        package::{config_file, parse},
    },
};

/// What Qwen3's template for chats puts before and after a message of a user.
const TEMPLATE: [&str; 2] = ["<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"];

/// What follows if the model is not to think.
const EMPTY_THOUGHT: &str = "<think>\n\n</think>\n\n";

/// The tokens of the template that must be in the vocabulary.
const MARKS: [&str; 2] = ["<|im_start|>", "<|im_end|>"];

const PAD: &str = "<|endoftext|>";

/// The longest text that is encoded, in bytes. The tokenizer needs 200 times its memory. No 512 tokens are as long.
const MAX_TEXT: usize = 64 * 1024;

/// Turns prompts into token ids for [`Qwen3TextModel`](super::Qwen3TextModel).
#[derive(Clone, Debug)]
pub struct Qwen3Tokenizer {
    tokenizer: Tokenizer,
    /// The file name for error messages.
    file: String,
    pad: u32,
    /// What follows the template.
    thought: &'static str,
}

/// The fields of `tokenizer_config.json`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenConfig {
    pad_token: Option<Token>,
    padding_side: Option<String>,
    /// Newer versions of transformers write it.
    added_tokens_decoder: BTreeMap<u32, Added>,
}

impl Qwen3Tokenizer {
    /// The number of tokens of each prompt.
    pub const LENGTH: usize = 512;

    /// Loads `tokenizer.json` in a folder of a model, for a text encoder of `rows` ids.
    ///
    /// # Errors
    /// If the file is missing or damaged, if a special token is not in the vocabulary, or if an id is too large.
    pub fn load(package: &dyn Package, folder: &str, rows: usize) -> Result<Self, DiffusionError> {
        let name = format!("{folder}/tokenizer_config.json");
        let config: TokenConfig =
            if package.has(&name) { parse(package, &name)? } else { TokenConfig::default() };
        if config.padding_side.as_deref().is_some_and(|side| side != "right") {
            let reason = "`padding_side` must be \"right\"".to_owned();
            return Err(DiffusionError::Tokenizer { file: package.location(&name), reason });
        }
        let json = format!("{folder}/tokenizer.json");
        let (mut vocabulary, file) = Vocabulary::from_json(package, &json)?;
        for (id, token) in config.added_tokens_decoder {
            vocabulary.added.entry(id).or_insert(token);
        }
        let broken = |reason| DiffusionError::Tokenizer { file: file.clone(), reason };
        vocabulary.check_ids(rows, &config_file("text_encoder")).map_err(broken)?;
        let tokenizer = vocabulary.qwen().map_err(broken)?;
        let id = |token: &str| {
            let missing = || broken(format!("the token \"{token}\" is not in the vocabulary"));
            tokenizer.token_to_id(token).ok_or_else(missing)
        };
        for mark in MARKS {
            id(mark)?;
        }
        let pad = id(&config.pad_token.map_or_else(|| PAD.to_owned(), Token::into_text))?;
        Ok(Self { tokenizer, file, pad, thought: EMPTY_THOUGHT })
    }

    /// The same with the template of a model that thinks: no empty thought follows a prompt.
    #[must_use]
    pub fn without_thought(self) -> Self {
        Self { thought: "", ..self }
    }

    /// The ids of a prompt in the template, at most [`Self::LENGTH`].
    ///
    /// # Errors
    /// If the tokenizer cannot read the text.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, DiffusionError> {
        let [before, after] = TEMPLATE;
        let (text, thought) = (&text[..text.floor_char_boundary(MAX_TEXT)], self.thought);
        let whole = format!("{before}{text}{after}{thought}");
        let encoding = self.tokenizer.encode_fast(whole, false).map_err(|error| {
            DiffusionError::Tokenizer { file: self.file.clone(), reason: error.to_string() }
        })?;
        let mut ids = encoding.get_ids().to_vec();
        if ids.len() > Self::LENGTH {
            log::warn!(
                "a prompt has {} tokens, and the last {} are not used: shorten it",
                ids.len(),
                ids.len() - Self::LENGTH
            );
            ids.truncate(Self::LENGTH);
        }
        Ok(ids)
    }

    /// The ids of a prompt with padding, [`Self::LENGTH`] in all, and whether each is not padding.
    pub(super) fn padded(&self, text: &str) -> Result<(Vec<u32>, Vec<bool>), DiffusionError> {
        let mut ids = self.ids(text)?;
        let attended = (0..Self::LENGTH).map(|index| index < ids.len()).collect();
        ids.resize(Self::LENGTH, self.pad);
        Ok((ids, attended))
    }
}
