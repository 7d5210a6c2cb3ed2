"""Makes a CrossEncoder of a few kilobytes with random weights: ``python tiny_reranker.py FOLDER LABELS``.

With pairs of query and text (JSON) on its standard input, it prints their scores by sentence-transformers itself.
"""

import json
import sys
from pathlib import Path

import torch
from sentence_transformers import CrossEncoder
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

folder, labels = Path(sys.argv[1]), int(sys.argv[2])
if not folder.is_dir():
    folder.mkdir(parents=True)
    letters = [chr(number) for number in range(33, 127)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        num_labels=labels, initializer_range=0.1,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizerFast(vocab={piece: at for at, piece in enumerate(vocabulary)}).save_pretrained(folder)
if pairs := json.loads(sys.stdin.read() or "[]"):
    model = CrossEncoder(str(folder), device="cpu", max_length=512)
    scores = model.predict([tuple(pair) for pair in pairs], activation_fn=torch.nn.Sigmoid(), show_progress_bar=False)
    print(json.dumps([float(score) for score in scores]))
