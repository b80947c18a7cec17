import { COMPRESSIONS, type Compression } from "@cim-replay/archive";
import { callFlag } from "../settings/flags.ts";
import { oneOf } from "../settings/values.ts";

export const compressionFlag = callFlag<Compression>(
  `--compression <${COMPRESSIONS.join("|")}>`,
  "of the archive (default: by the file's ending, else gzip)",
  oneOf(...COMPRESSIONS),
);
