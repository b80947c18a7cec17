/** In the metadata of a stream, or of a bucket's stream, that a restore has begun to change: the command that finishes it. */
export const RESTORE_MARK = "cim-replay-unfinished-restore";
