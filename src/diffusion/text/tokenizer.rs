//! CLIP's tokenizer: lower case, byte pairs, one start and one end token, a fixed length.

mod vocabulary;

use std::{
    collections::{BTreeMap, HashMap},
    iter,
};

use serde::Deserialize;
use tokenizers::{AddedToken, Tokenizer};

use self::vocabulary::{Added, Vocabulary};
use super::clip::ClipTextConfig;
use crate::{
    diffusion::{DiffusionError, config::ConfigFile},
    model::{
        Package,
        package::{config_file, parse},
    },
};

const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";
/// The longest text that is encoded at once, in bytes.
const MAX_PIECE: usize = 64 * 1024;

/// The most chunks of a prompt: 1200 tokens with the usual length of 77.
pub const MAX_CHUNKS: usize = 16;

/// Turns prompts into token ids for [`ClipTextModel`](super::clip::ClipTextModel).
#[derive(Clone, Debug)]
pub struct ClipTokenizer {
    tokenizer: Tokenizer,
    /// The file name for error messages.
    file: String,
    start: u32,
    end: u32,
    pad: u32,
    length: usize,
}

/// The fields of `tokenizer_config.json` and `special_tokens_map.json`.
#[derive(Default, Deserialize)]
struct TokenConfig {
    bos_token: Option<Token>,
    eos_token: Option<Token>,
    pad_token: Option<Token>,
    unk_token: Option<Token>,
    /// Some files write "no limit" as 1e30.
    model_max_length: Option<f64>,
    /// Special and added tokens by their ids. Newer versions of transformers write it.
    #[serde(default)]
    added_tokens_decoder: BTreeMap<u32, Added>,
}

/// A token as plain text or as an object with options.
#[derive(Deserialize)]
#[serde(untagged)]
enum Token {
    Text(String),
    Added { content: String },
}

impl Token {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::Added { content: text } => text,
        }
    }
}

impl ClipTokenizer {
    /// Loads `tokenizer/tokenizer.json`, or the older pair `vocab.json` and `merges.txt`.
    ///
    /// # Errors
    /// If the files are missing or damaged, or if a special token is not in the vocabulary.
    pub fn load(package: &dyn Package) -> Result<Self, DiffusionError> {
        Self::load_from(package, "tokenizer", "text_encoder")
    }

    /// Loads the files of a folder, for the text encoder in another folder, whose configuration has the number of tokens and of
    /// positions.
    pub(super) fn load_from(
        package: &dyn Package,
        folder: &str,
        text_encoder: &str,
    ) -> Result<Self, DiffusionError> {
        let optional = |rel: &str| -> Result<TokenConfig, DiffusionError> {
            if package.has(rel) { Ok(parse(package, rel)?) } else { Ok(TokenConfig::default()) }
        };
        let config = optional(&format!("{folder}/tokenizer_config.json"))?;
        let map = optional(&format!("{folder}/special_tokens_map.json"))?;
        let named = |first: Option<Token>, second: Option<Token>, default: &str| {
            first.or(second).map_or_else(|| default.to_owned(), Token::into_text)
        };
        let start = named(config.bos_token, map.bos_token, START);
        let end = named(config.eos_token, map.eos_token, END);
        let unknown = named(config.unk_token, map.unk_token, END);
        let pad = named(config.pad_token, map.pad_token, &end);

        let mut added = config.added_tokens_decoder;
        // The added tokens of the older layout, with their ids.
        let added_tokens = format!("{folder}/added_tokens.json");
        if package.has(&added_tokens) {
            for (content, id) in parse::<HashMap<String, u32>>(package, &added_tokens)? {
                added.entry(id).or_insert_with(|| Added::new(content));
            }
        }
        let json = format!("{folder}/tokenizer.json");
        let (mut vocabulary, file) = if package.has(&json) {
            Vocabulary::from_json(package, &json)?
        } else {
            Vocabulary::from_files(package, folder, &unknown)?
        };
        for (id, token) in added {
            vocabulary.added.entry(id).or_insert(token);
        }
        let special = [&start, &end, &pad, &unknown];
        vocabulary.added.retain(|_, token| !special.contains(&&token.content));
        let config_of_texts = config_file(text_encoder);
        let text_encoder: Option<ClipTextConfig> = match package.has(&config_of_texts) {
            true => Some(ConfigFile::read(package, text_encoder)?.of_text().parse()?),
            false => None,
        };
        let broken = |reason| DiffusionError::Tokenizer { file: file.clone(), reason };
        if let Some(config) = &text_encoder {
            vocabulary.check_ids(config.vocab_size, &config_of_texts).map_err(broken)?;
        }
        let mut tokenizer = vocabulary.tokenizer().map_err(broken)?;
        let id = |token: &str| {
            tokenizer.token_to_id(token).ok_or_else(|| DiffusionError::Tokenizer {
                file: file.clone(),
                reason: format!("the token \"{token}\" is not in the vocabulary"),
            })
        };
        let ids = (id(&start)?, id(&end)?, id(&pad)?);
        id(&unknown)?;
        // Special tokens in a prompt are encoded as ordinary text, even the "!" that Stable
        // Diffusion 2 pads with.
        let special = [start, end, pad, unknown].map(|token| AddedToken::from(token, true));
        tokenizer.add_special_tokens(special).map_err(|error| DiffusionError::Tokenizer {
            file: file.clone(),
            reason: error.to_string(),
        })?;
        let (start, end, pad) = ids;
        let length = text_encoder.unwrap_or_default().max_position_embeddings;
        // The cast saturates at the integer's limits.
        let length = config.model_max_length.map_or(length, |limit| length.min(limit as usize));
        if length < 2 {
            let reason = format!("a length of {length} has no room for the start and end tokens");
            return Err(DiffusionError::Tokenizer { file, reason });
        }
        Ok(Self { tokenizer, file, start, end, pad, length })
    }

    /// The ids of the beginning of a prompt: start, as much of the text as fits, end, then padding up to
    /// [`Self::length`].
    ///
    /// # Errors
    /// If the tokenizer cannot read the text.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, DiffusionError> {
        let tokens = self.tokens(text, self.length - 2)?;
        Ok(self.chunk(tokens.get(..self.length - 2).unwrap_or(&tokens)))
    }

    /// The ids of a prompt of any length, in chunks of [`Self::length`] that each have a start and an end, as compel
    /// divides long prompts. There is at least one chunk, and there are at most [`MAX_CHUNKS`].
    ///
    /// # Errors
    /// If the tokenizer cannot read the text.
    pub fn chunks(&self, text: &str) -> Result<Vec<Vec<u32>>, DiffusionError> {
        let room = self.length - 2;
        let most = room.saturating_mul(MAX_CHUNKS);
        let tokens = self.tokens(text, most)?;
        if tokens.len() > most {
            log::warn!(
                "a prompt has at least {} tokens, and only the first {most} are used: shorten it",
                tokens.len()
            );
        }
        if tokens.len() <= room || room == 0 {
            return Ok(vec![self.chunk(&tokens[..tokens.len().min(room)])]);
        }
        Ok(tokens.chunks(room).take(MAX_CHUNKS).map(|tokens| self.chunk(tokens)).collect())
    }

    /// The tokens of a text. After more than `most` tokens, the rest of a long text is left out.
    fn tokens(&self, text: &str, most: usize) -> Result<Vec<u32>, DiffusionError> {
        if text.len() <= MAX_PIECE {
            return self.encode(text);
        }
        let mut tokens = Vec::new();
        for piece in pieces(text) {
            tokens.extend(self.encode(&piece)?);
            if tokens.len() > most {
                break;
            }
        }
        Ok(tokens)
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, DiffusionError> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|error| {
            DiffusionError::Tokenizer { file: self.file.clone(), reason: error.to_string() }
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    fn chunk(&self, tokens: &[u32]) -> Vec<u32> {
        let mut ids = vec![self.start];
        ids.extend(tokens);
        ids.push(self.end);
        ids.resize(self.length, self.pad);
        ids
    }

    /// The id after the last token of a text.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// The number of ids of every chunk.
    pub fn length(&self) -> usize {
        self.length
    }
}

/// The words of a text in pieces of at most [`MAX_PIECE`] bytes. The tokenizer needs 200 times the memory of a piece.
/// Tokens do not cross the white space between words. A word that is longer than a piece is divided.
fn pieces(text: &str) -> impl Iterator<Item = String> {
    let mut words = text.split_whitespace().flat_map(divided).peekable();
    iter::from_fn(move || {
        let mut piece = words.next()?.to_owned();
        while let Some(word) = words.next_if(|word| piece.len() + 1 + word.len() <= MAX_PIECE) {
            piece.push(' ');
            piece.push_str(word);
        }
        Some(piece)
    })
}

fn divided(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    iter::from_fn(move || {
        let (part, tail) = rest.split_at(rest.floor_char_boundary(MAX_PIECE));
        rest = tail;
        (!part.is_empty()).then_some(part)
    })
}

#[cfg(test)]
mod tests;
