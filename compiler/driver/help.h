// What `aoac` and `aoac --help` say.
#pragma once

namespace aoa::driver {

inline constexpr const char* kGreeting = R"(aoac converts checkpoints of large models by rule files.

  aoac rules/llama2.aoa
      checks a rule file: parses, types and proves it. No checkpoint is needed.

  aoac rules/llama2.aoa --run --from megatron_plain:shards/ --to hf:out/
      converts shards of a training run to a Hugging Face folder. A rule file has sides (here megatron_plain and hf);
      any side converts to any other, in both directions.

  aoac rules/llama2.aoa --run --from hf:model/ --to megatron_plain:shards/ --mesh-to tp=2,pp=2
      cuts a Hugging Face model for 2-way tensor and 2-way pipeline parallel training.

`aoac --help` lists all commands and options.
)";

inline constexpr const char* kHelp = R"(aoac converts checkpoints of large models by rule files.

Commands
  aoac RULES.aoa                            check: parse, type, prove; no checkpoint needed
  aoac RULES.aoa --run  [--from SIDE[:PATH]] [--to SIDE[:PATH]]    convert
  aoac RULES.aoa --plan [--from SIDE[:PATH]] [--to SIDE]           say what a run would do
  aoac RULES.aoa --emit=PHASE ...           show what a phase makes: ast types map index plan llvm asm
                                            (--cpu x86-64-v3: code for another processor of this architecture)
  aoac inspect PATH                         list what a checkpoint holds, and what looks wrong
  aoac diff A B                             compare two checkpoints: 0 equal, 1 different
  aoac diff RULES.aoa SIDE:PATH SIDE:PATH   the same across layouts
  aoac digest PATH                          digests of all tensors
  aoac digest RULES.aoa SIDE:PATH [--as SIDE]   the same whatever the layout, under the names of a side (hf)
  aoac digest PATH --md5 | --sha256         of its files, as md5sum and sha256sum print them
  aoac identify PATH [--rules DIR] [--config FILE]   which rule file and side a checkpoint fits
  aoac init PATH [--side NAME] [-o FILE]    draft a side from a checkpoint
  aoac import-aoa FILE [-o FILE] [--from-checkpoint PATH]          a rule file from an aoa_config
  aoac fmt FILE... [--check]                format rule files
  aoac formats                              list the file formats
  aoac explain CODE                         what a message means, with an example: aoac explain AOA0602
  aoac layouts PATH [-o FILE]               how a layout file cuts tensors; -o writes it as one file (.json, .ckpt)
  aoac layouts --needs 0-7 [--layout-from PATH] [--layout-to PATH]
                                            the source ranks that it takes to write these ranks
  aoac lsp                                  a language server for editors, on standard input and output

What a run reads and writes
  --from SIDE:PATH, --to SIDE:PATH          a side of the rule file, and a folder or file; SIDE+VARIANT:PATH picks a variant
  --mesh-from tp=2,pp=2   --mesh-to ...     sizes of mesh axes; 'pp=[9,8,8,7]' gives uneven stages
  --layout-from PATH      --layout-to PATH  how each tensor is cut, in the format's own files (MindSpore's strategies)
  --prefix TEXT                             of the target's file names, where the format has one (checkpoint_)
  -D NAME=NUMBER                            sets a dimension; -D from.NAME=, -D to.NAME= at one end
  --config FILE                             the model's configuration, where the checkpoint carries none
  --dtype TYPE                              casts tensors whose type the rules leave open: f32, bf16, f16, ...
  --only GLOB                               only target tensors whose names match
  --states                                  carry optimizer states along; --strict-states: none may be left behind
  --ranks 0-7                               write only these ranks of the target
  --part I/N                                do the I-th of N equal shares; the last one to end publishes
  --max-shard-size 5GB                      of files of Hugging Face folders
  --check-replicas                          compare all copies of replicated tensors

How it runs
  --memory 512M                             bound on memory, 1G if not given
  --threads N                               as many as there are processors if not given
  --backend cpu|reference                   reference: one element at a time, slow, for checks
  --verify                                  read the target again and compare
  --sync                                    flush to the device before publishing: survives a loss of power
  --resume                                  go on with a run that was killed
  --force                                   replace an existing target
  --quiet   --json                          no progress; a report for programs

  aoac --version

Exit status: 0 done (diff: equal), 1 the rules or the checkpoint are wrong (diff: different), 2 bad command line, 3 the
system failed. A target appears whole or not at all.
)";

}  // namespace aoa::driver
