//! CLIP's tokenizer: lower case, byte pairs, one start and one end token, a fixed length.

pub(super) mod vocabulary;

use std::{
    collections::{BTreeMap, HashMap},
    iter,
};

use serde::Deserialize;
use tokenizers::{AddedToken, Tokenizer};

use self::vocabulary::{Added, Vocabulary};
use super::{clip::ClipTextConfig, inversion::AddedTokens};
use crate::{
    diffusion::{DiffusionError, config::ConfigFile},
    model::{
        Package,
        package::{config_file, parse},
    },
    prompt::{Fragment, TextPiece, split_embedding_tags},
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

/// The tokens that are encoded at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenChunk {
    /// Start, tokens, end, then padding up to [`ClipTokenizer::length`].
    pub ids: Vec<u32>,
    /// The index of the fragment that each token belongs to. `None` for start, end and padding.
    pub fragments: Vec<Option<usize>>,
    /// The position of the end.
    pub end: usize,
}

impl TokenChunk {
    /// The weight of each token.
    pub(super) fn weights(&self, fragments: &[Fragment]) -> impl Iterator<Item = f32> {
        let weight = |index: usize| fragments.get(index).map(|fragment| fragment.weight);
        self.fragments.iter().map(move |index| index.and_then(weight).unwrap_or(1.0))
    }
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
pub(super) enum Token {
    Text(String),
    Added { content: String },
}

impl Token {
    pub(super) fn into_text(self) -> String {
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
        Ok(self.first_chunk(self.tokens(text, self.length - 2)?))
    }

    /// As [`Self::ids`]. The text may name textual inversions of `added`.
    pub(super) fn ids_with(
        &self,
        text: &str,
        added: &AddedTokens,
    ) -> Result<Vec<u32>, DiffusionError> {
        Ok(self.first_chunk(self.tokens_with(text, self.length - 2, added)?))
    }

    /// The ids of the first tokens.
    fn first_chunk(&self, tokens: Vec<u32>) -> Vec<u32> {
        let tokens = tokens.into_iter().take(self.length - 2).map(|id| (id, 0));
        self.chunk(&Vec::from_iter(tokens)).ids
    }

    /// The ids of a section of a prompt, of any length, in chunks of [`Self::length`] that each have a start and an end. As
    /// in compel, a long prompt is divided at ends of sentences, of phrases or of words. There is at least one chunk, and
    /// there are at most `most`.
    ///
    /// # Errors
    /// If the tokenizer cannot read a text.
    pub fn chunks(
        &self,
        section: &[Fragment],
        most: usize,
    ) -> Result<Vec<TokenChunk>, DiffusionError> {
        self.divided(section, most, |text, most| self.tokens(text, most))
    }

    /// As [`Self::chunks`]. The texts may name textual inversions of `added`.
    pub(super) fn chunks_with(
        &self,
        section: &[Fragment],
        most: usize,
        added: &AddedTokens,
    ) -> Result<Vec<TokenChunk>, DiffusionError> {
        self.divided(section, most, |text, most| self.tokens_with(text, most, added))
    }

    /// The chunks of a section. `tokens_of` tokenizes a text, of which it needs so many tokens.
    fn divided(
        &self,
        section: &[Fragment],
        most: usize,
        tokens_of: impl Fn(&str, usize) -> Result<Vec<u32>, DiffusionError>,
    ) -> Result<Vec<TokenChunk>, DiffusionError> {
        let room = self.length - 2;
        let most_tokens = room.saturating_mul(most);
        let mut tokens = Vec::new();
        for (index, fragment) in section.iter().enumerate() {
            let of_fragment = tokens_of(&fragment.text, most_tokens)?;
            tokens.extend(of_fragment.into_iter().map(|id| (id, index)));
            if tokens.len() > most_tokens {
                break;
            }
        }
        let mut chunks = Vec::new();
        let mut rest = tokens.as_slice();
        while chunks.is_empty() || (chunks.len() < most && room > 0 && !rest.is_empty()) {
            let (chunk, others) = rest.split_at(self.end_of_chunk(rest, room));
            chunks.push(self.chunk(chunk));
            rest = others;
        }
        if !rest.is_empty() {
            log::warn!(
                "a prompt has at least {} tokens, and the last {} or more are not used: shorten it",
                tokens.len(),
                rest.len()
            );
        }
        Ok(chunks)
    }

    /// The ids of an empty prompt.
    #[must_use]
    pub fn empty_chunk(&self) -> TokenChunk {
        self.chunk(&[])
    }

    /// The number of tokens of the next chunk, which has room for `room` of them.
    fn end_of_chunk(&self, tokens: &[(u32, usize)], room: usize) -> usize {
        if tokens.len() <= room {
            return tokens.len();
        }
        let texts = tokens[..room].iter().map(|(id, _)| self.tokenizer.id_to_token(*id));
        let texts: Vec<String> = texts.map(Option::unwrap_or_default).collect();
        let last = |ends: &dyn Fn(&str) -> bool| texts.iter().rposition(|text| ends(text));
        last(&|text| text == ".</w>")
            .or_else(|| last(&|text| [",</w>", ";</w>", ":</w>"].contains(&text)))
            .or_else(|| last(&|text| text.ends_with("</w>")))
            .map_or(room, |last| last + 1)
    }

    /// The tokens of a text and of its textual inversions. After more than `most` tokens, the rest may be left out.
    fn tokens_with(
        &self,
        text: &str,
        most: usize,
        added: &AddedTokens,
    ) -> Result<Vec<u32>, DiffusionError> {
        let mut tokens = Vec::new();
        for piece in split_embedding_tags(text) {
            match piece {
                TextPiece::Words(words) => tokens.extend(self.tokens(words, most)?),
                TextPiece::Embedding(name) => tokens.extend(added.ids(name)?),
            }
            if tokens.len() > most {
                break;
            }
        }
        Ok(tokens)
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

    fn chunk(&self, tokens: &[(u32, usize)]) -> TokenChunk {
        let mut ids = vec![self.start];
        let mut fragments = vec![None];
        for &(id, fragment) in tokens {
            ids.push(id);
            fragments.push(Some(fragment));
        }
        let end = ids.len();
        ids.push(self.end);
        ids.resize(self.length, self.pad);
        fragments.resize(self.length, None);
        TokenChunk { ids, fragments, end }
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
