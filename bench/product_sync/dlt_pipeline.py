"""Run by bench.product_sync.dlt in dlt's own environment: one pipeline run between "go" and "done".

`python dlt_pipeline.py PLACE FOLDER`: PLACE is the database as JSON, FOLDER keeps the pipeline's state
between the passes. Everything is dlt's default but the backend and the merge key.
"""

import json
import sys
from urllib.parse import quote

import connectorx  # noqa: F401 - its time belongs to the start, like that of the others
import dlt
import psycopg2  # noqa: F401
import pyarrow  # noqa: F401
from dlt.sources.sql_database import sql_table


def main() -> None:
    """Say when ready, load when told, and stay until told to end."""
    place, folder = json.loads(sys.argv[1]), sys.argv[2]
    # dlt wants a password; a server that trusts its socket takes any
    user = f"{quote(place['USER'])}:{quote(place['PASSWORD'] or 'unused', safe='')}"
    port = f":{place['PORT']}" if place["PORT"] else ""
    address = f"postgresql://{user}@localhost{port}/{place['NAME']}?host={quote(place['HOST'], safe='')}"
    print("ready", flush=True)
    sys.stdin.readline()
    pipeline = dlt.pipeline(
        "bench_products", pipelines_dir=folder, dataset_name="bench_dlt", destination=dlt.destinations.postgres(address)
    )
    rows = sql_table(
        credentials=address.replace("postgresql", "postgresql+psycopg2", 1),
        schema="public",
        table="products_staging",
        backend="connectorx",
        backend_kwargs={"conn": address},
        incremental=dlt.sources.incremental("src_updated_at"),
    )
    rows.apply_hints(primary_key=("style_brand_no", "style_no"))
    pipeline.run(rows, table_name="products", write_disposition="merge").raise_on_failed_jobs()
    print("done", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
