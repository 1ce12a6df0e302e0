//! CLIP's tokenizer: lower case, byte pairs, one start and one end token, a fixed length.

use std::collections::HashMap;

use serde::Deserialize;
use tokenizers::{
    AddedToken, SplitDelimiterBehavior, Tokenizer,
    models::bpe::{BPE, Vocab},
    normalizers::{Lowercase, NFC, Replace, Sequence as Normalizers, replace::ReplacePattern},
    pre_tokenizers::{
        PreTokenizerWrapper,
        byte_level::ByteLevel,
        sequence::Sequence as PreTokenizers,
        split::{Split, SplitPattern},
    },
};

use super::clip::ClipTextConfig;
use crate::{
    diffusion::DiffusionError,
    model::{Package, package::parse},
};

const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";

/// CLIP's pre-tokenizer pattern: the special tokens, English contractions, letters, single digits,
/// anything else.
const PRE_TOKENS: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

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
        let optional = |rel: &str| -> Result<TokenConfig, DiffusionError> {
            if package.has(rel) { Ok(parse(package, rel)?) } else { Ok(TokenConfig::default()) }
        };
        let config = optional("tokenizer/tokenizer_config.json")?;
        let map = optional("tokenizer/special_tokens_map.json")?;
        let named = |first: Option<Token>, second: Option<Token>, default: &str| {
            first.or(second).map_or_else(|| default.to_owned(), Token::into_text)
        };
        let start = named(config.bos_token, map.bos_token, START);
        let end = named(config.eos_token, map.eos_token, END);
        let unknown = named(config.unk_token, map.unk_token, END);
        let pad = named(config.pad_token, map.pad_token, &end);

        let (mut tokenizer, file) = if package.has("tokenizer/tokenizer.json") {
            from_json(package)?
        } else {
            from_vocabulary(package, &unknown)?
        };
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
        let positions = if package.has("text_encoder/config.json") {
            parse(package, "text_encoder/config.json")?
        } else {
            ClipTextConfig::default()
        };
        let length = positions.max_position_embeddings;
        // The cast saturates at the integer's limits.
        let length = config.model_max_length.map_or(length, |limit| length.min(limit as usize));
        if length < 2 {
            let reason = format!("a length of {length} has no room for the start and end tokens");
            return Err(DiffusionError::Tokenizer { file, reason });
        }
        Ok(Self { tokenizer, file, start, end, pad, length })
    }

    /// The ids of a prompt: start, as much of the text as fits, end, then padding up to
    /// [`Self::length`].
    ///
    /// # Errors
    /// If the tokenizer cannot read the text.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, DiffusionError> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|error| {
            DiffusionError::Tokenizer { file: self.file.clone(), reason: error.to_string() }
        })?;
        let mut ids = vec![self.start];
        ids.extend(encoding.get_ids().iter().take(self.length - 2));
        ids.push(self.end);
        ids.resize(self.length, self.pad);
        Ok(ids)
    }

    /// The number of ids of every prompt.
    pub fn length(&self) -> usize {
        self.length
    }
}

fn from_json(package: &dyn Package) -> Result<(Tokenizer, String), DiffusionError> {
    let rel = "tokenizer/tokenizer.json";
    let file = package.location(rel);
    let broken = |error: tokenizers::Error| DiffusionError::Tokenizer {
        file: file.clone(),
        reason: error.to_string(),
    };
    let mut tokenizer = Tokenizer::from_bytes(package.file(rel)?).map_err(broken)?;
    // Truncation and padding are done here, so settings in the file are removed.
    tokenizer.with_truncation(None).map_err(broken)?;
    tokenizer.with_padding(None);
    Ok((tokenizer, file))
}

fn from_vocabulary(
    package: &dyn Package,
    unknown: &str,
) -> Result<(Tokenizer, String), DiffusionError> {
    let vocabulary: HashMap<String, u32> = parse(package, "tokenizer/vocab.json")?;
    let rel = "tokenizer/merges.txt";
    let file = package.location(rel);
    let broken = |reason: String| DiffusionError::Tokenizer { file: file.clone(), reason };
    let merges = package.file(rel)?;
    let merges = str::from_utf8(&merges).map_err(|error| broken(error.to_string()))?;
    let merges: Vec<(String, String)> = merges
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("#version"))
        .map(|line| match line.split_once(' ') {
            Some((left, right)) => Ok((left.to_owned(), right.to_owned())),
            None => Err(broken(format!("\"{line}\" does not contain two tokens"))),
        })
        .collect::<Result<_, _>>()?;
    let tokenizer = clip(vocabulary.into_iter().collect(), merges, unknown);
    let tokenizer = tokenizer.map_err(|error| broken(error.to_string()))?;
    Ok((tokenizer, file))
}

/// CLIP's tokenization rules for a vocabulary.
fn clip(
    vocabulary: Vocab,
    merges: Vec<(String, String)>,
    unknown: &str,
) -> tokenizers::Result<Tokenizer> {
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .unk_token(unknown.to_owned())
        .continuing_subword_prefix(String::new())
        .end_of_word_suffix("</w>".to_owned())
        .build()?;
    let mut tokenizer = Tokenizer::new(model);
    let blanks = Replace::new(ReplacePattern::Regex(r"\s+".to_owned()), " ")?;
    tokenizer.with_normalizer(Some(Normalizers::new(vec![
        NFC.into(),
        blanks.into(),
        Lowercase.into(),
    ])))?;
    let words = SplitPattern::Regex(PRE_TOKENS.to_owned());
    let words = Split::new(words, SplitDelimiterBehavior::Removed, true)?;
    tokenizer.with_pre_tokenizer(Some(PreTokenizers::new(vec![
        PreTokenizerWrapper::Split(words),
        PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, true)),
    ])));
    Ok(tokenizer)
}
