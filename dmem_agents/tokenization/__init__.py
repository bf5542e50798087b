"""Messages → token ids + who each token belongs to, and token ids → text.

The only chat-template code: training and serving both render here, so both see the same tokens.

- `chat`       `ChatTokenizer`, `RenderedChat`, and the ids the memory and the loss want per token
- `template`   a chat template as text → text, with its refusals smoothed over
- `spans`      which character belongs to which message
- `sentences`  where sentences begin
- `stream`     token ids → text, one at a time
"""

from dmem_agents.tokenization.chat import ChatTokenizer, RenderedChat, label_ids, segment_ids
from dmem_agents.tokenization.sentences import split_sentences
from dmem_agents.tokenization.stream import StreamDecoder

__all__ = ["ChatTokenizer", "RenderedChat", "StreamDecoder", "label_ids", "segment_ids", "split_sentences"]
