import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { errorMessage, ReplayError, UsageError } from "@cim-replay/core";

/** Throws UsageError where no file could be written: before hours of work, not after them. */
export async function checkWritable(path: string): Promise<void> {
  try {
    await access(dirname(path), constants.W_OK);
  } catch (error) {
    throw new UsageError(`Cannot write ${path}: ${errorMessage(error)}. Name a file in a folder that is there.`);
  }
}

/** Whoever reads the file sees the old one or the new one, whole, also after a power cut. Throws ReplayError. */
export async function writeWholeFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.new`;
  try {
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new ReplayError(`Cannot write ${path}: ${errorMessage(error)}. Name another file.`);
  }
}
