"""A prediction server as people write it: FastAPI, Pillow and onnxruntime, one image a request.

python benchmarks/_plain_server.py FILE PORT [PROCESSES]
"""

import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from PIL import Image

SESSION = onnxruntime.InferenceSession(
    os.environ.get("MODEL") or sys.argv[1], providers=["CPUExecutionProvider"]
)
META = SESSION.get_modelmeta().custom_metadata_map
LABELS, SIZE = json.loads(META["labels"]), int(META["image_size"])
app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> dict:
    try:
        image = Image.open(io.BytesIO(await request.body())).convert("RGB")
    except Exception:
        raise HTTPException(400, "not an image") from None
    if image.size != (SIZE, SIZE):
        image = image.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    probabilities = SESSION.run(["probabilities"], {"images": np.asarray(image)[None]})[0][0]
    best = np.argsort(-probabilities)[:5]
    top = [{"label": LABELS[k], "probability": float(probabilities[k])} for k in best]
    return {"predictions": [{"file": None, **top[0], "top": top}]}


if __name__ == "__main__":
    os.environ["MODEL"] = sys.argv[1]
    many = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    uvicorn.run(
        "_plain_server:app",
        app_dir=str(Path(__file__).parent),
        port=int(sys.argv[2]),
        workers=many,
        access_log=False,
        log_level="error",
    )
