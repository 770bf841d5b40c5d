"""Tokenizers made from a few local words, and conversations."""

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from anyorder.types import TextTrajectory, Turn

CORPUS = [
    "Question: who wrote the play? Thought: I should search. Action: search[the play] Observation: it was written in 1601.",
    "go to the red ball, then pick up a blue box and open the yellow door next to the grey key on your left",
    "put the purple ball behind you after you go to green box in front of user assistant tool system: finish[yes]",
    "pick up an object, go to a room, unlock it and open the door",
] * 3


def wordpiece():
    """As BERT's: lower case, no token for white space, [PAD], [UNK], [CLS], [SEP], [MASK]."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def byte_level():
    """As LLaDA2's: bytes, case and white space kept, the end of text is also the padding."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|mask|>", "<role>", "</role>", "<|role_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def conversation(*texts, unasked=(), source="toy:1", acknowledged=False):
    """A mission, then observations and actions in turn, beginning with an observation."""
    turns = [Turn("mission", "user", "put the red ball next to the box", False)]
    if acknowledged:
        turns.append(Turn("mission", "assistant", "OK", False))
    for number, text in enumerate(texts):
        part, role = ("action", "assistant") if number % 2 else ("observation", "user")
        turns.append(Turn(part, role, text, number not in unasked))
    return TextTrajectory(source, tuple(turns))
