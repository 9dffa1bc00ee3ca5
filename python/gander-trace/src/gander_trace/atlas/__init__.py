"""Expert atlases (docs/atlas.md): what a model's routing does over a corpus, with what chance would give. Needs pyarrow.

>>> from gander_trace.atlas import Atlas                                     # doctest: +SKIP
>>> labels = Atlas.open("code.gander-atlas").to_pandas("labels")             # doctest: +SKIP
>>> labels[labels.specialised].sort_values("lift", ascending=False)          # doctest: +SKIP
"""

from gander_trace.atlas.columns import TABLES, TableName
from gander_trace.atlas.folder import Atlas
from gander_trace.atlas.making import AtlasMaker

__all__ = ["TABLES", "Atlas", "AtlasMaker", "TableName"]
