/// Formats that are found under the name of a weight file, recognised by their first bytes.
package enum ForeignFormat: Sendable, CaseIterable {
  case gitLFSPointer, html, zip, pickle, gguf

  package init?(_ bytes: UnsafeRawBufferPointer) {
    let start = String(decoding: bytes.prefix(64), as: UTF8.self)
    let text = start.drop { $0.isWhitespace || $0 == "\u{FEFF}" }.lowercased()
    switch true {
    case text.hasPrefix("version https://git-lfs"): self = .gitLFSPointer
    case text.hasPrefix("<!doctype"), text.hasPrefix("<html"), text.hasPrefix("<?xml"): self = .html
    case bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]): self = .zip
    // A pickle starts with the opcode PROTO and a version; the length of a real header has zeros further up.
    case bytes.starts(with: [0x80]) && bytes.count > 8 && (2...5).contains(bytes[1]) && bytes[7] != 0: self = .pickle
    case start.hasPrefix("GGUF"): self = .gguf
    default: return nil
    }
  }

  package var explanation: String {
    switch self {
    case .gitLFSPointer: "this is a Git LFS pointer, not the weights; fetch the file itself with 'git lfs pull'"
    case .html: "this is a web page, not weights; the download failed, so download the file again"
    case .zip, .pickle: "this is a PyTorch file, which may run code when loaded; convert it to safetensors"
    case .gguf: "this is a GGUF file; use the safetensors weights instead"
    }
  }
}
