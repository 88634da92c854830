/// The files that the metrics read, where they are published, and what is known of them.
package enum PublishedWeights: String, CaseIterable, Sendable {
  case clipBase = "clip-b32"
  case clipLarge = "clip-l14"
  case aestheticHead = "aesthetic-head"
  case raft
  case amt = "amt-s"
  case clipMerges = "clip-merges"

  /// What needs the file.
  package var purpose: String {
    switch self {
    case .clipBase: "CLIP score (ViT-B/32) and the frame check of the content filter"
    case .clipLarge: "aesthetic quality, and CLIP score with --clip l14 (ViT-L/14)"
    case .aestheticHead: "aesthetic quality (linear head of LAION, version 1)"
    case .raft: "dynamic degree (RAFT, optical flow)"
    case .amt: "motion smoothness (AMT-S, frame interpolation)"
    case .clipMerges: "CLIP score and the frame check (table of merges of the tokenizer)"
    }
  }

  /// The name under which the file is published.
  package var publishedName: String { names[0] }

  /// File names that are looked for in a directory of weights, in this order.
  ///
  /// A converted file comes last: where both are there, the published one is the one whose digest is known.
  package var names: [String] {
    switch self {
    case .clipBase: ["ViT-B-32.pt", "ViT-B-32.safetensors"]
    case .clipLarge: ["ViT-L-14.pt", "ViT-L-14.safetensors"]
    case .aestheticHead: ["sa_0_4_vit_l_14_linear.pth", "sa_0_4_vit_l_14_linear.safetensors"]
    case .raft: ["raft-things.pth", "raft-things.safetensors"]
    case .amt: ["amt-s.pth", "amt-s.safetensors"]
    case .clipMerges: ["bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt", "merges.txt"]
    }
  }

  /// Where its authors publish it: the addresses that their own repositories and VBench's name.
  package var address: String {
    switch self {
    case .clipBase: "https://openaipublic.azureedge.net/clip/models/\(digest ?? "")/ViT-B-32.pt"
    case .clipLarge: "https://openaipublic.azureedge.net/clip/models/\(digest ?? "")/ViT-L-14.pt"
    case .aestheticHead:
      "https://github.com/LAION-AI/aesthetic-predictor/raw/main/sa_0_4_vit_l_14_linear.pth"
    case .raft:
      "https://dl.dropboxusercontent.com/s/4j4z58wuv8o0mfz/models.zip (RAFT's download_models.sh), file raft-things.pth"
    case .amt: "https://huggingface.co/lalala125/AMT/resolve/main/amt-s.pth"
    case .clipMerges: "https://github.com/openai/CLIP/raw/main/clip/bpe_simple_vocab_16e6.txt.gz"
    }
  }

  /// SHA-256 of the published file, as its address (CLIP) or the file in its authors' repository says.
  package var digest: String? {
    switch self {
    case .clipBase: "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"
    case .clipLarge: "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836"
    case .clipMerges: "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
    case .aestheticHead: "2cd4e60f4f24ae3bcd57b847b13c1f3ba27edc28cc1a7f9ce74ee9f421243cba"
    case .raft, .amt: nil
    }
  }

  /// SHA-256 that copies elsewhere have, where the authors state none: a file with another one may be right too.
  package var digestOfCopies: String? {
    // Two independent copies on Hugging Face (Iceclear/MGLD-VSR, RaphaelLiu/EvalCrafter-Models).
    self == .raft ? "fcfa4125d6418f4de95d84aec20a3c5f4e205101715a79f193243c186ac9a7e1" : nil
  }

  /// Bytes of the published file where they are known exactly.
  package var byteCount: Int? {
    switch self {
    case .clipBase: 353_976_522
    case .clipLarge: 932_768_134
    case .aestheticHead: 4071
    case .clipMerges: 1_356_917
    case .raft, .amt: nil
    }
  }

  /// A size to expect where only that is known.
  package var approximateSize: String? {
    switch self {
    case .raft: "21.1 MB, 5.26 million values"
    case .amt: "about 12 MB, 3.0 million values"
    case .clipBase, .clipLarge, .aestheticHead, .clipMerges: nil
    }
  }
}
