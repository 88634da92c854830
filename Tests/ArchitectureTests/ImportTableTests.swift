import Foundation
import Testing

/// Holds the sources to the import table in Package.swift.
@Suite("Import table")
struct ImportTableTests {
  private static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Modules that any target may import.
  private static let system: Set<String> = [
    "Foundation", "FoundationNetworking", "Glibc", "Synchronization", "Dispatch",
  ]
  /// Modules of package dependencies, by the target that may import them.
  private static let external: [String: Set<String>] = [
    "Commands": ["ArgumentParser", "Yams"], "Study": ["FlyingFox", "FlyingSocks"],
  ]

  /// The rows of Package.swift's table, in order: target and allowed imports.
  private static func table() throws -> [(name: String, imports: Set<String>)] {
    let manifest = try String(contentsOf: root.appendingPathComponent("Package.swift"), encoding: .utf8)
    let row = try Regex(#"Row\(\s*name: "(\w+)",\s*imports: \[([^\]]*)\]"#, as: (Substring, Substring, Substring).self)
    return manifest.matches(of: row).map { match in
      (
        String(match.output.1),
        Set(match.output.2.split { ",\n\" ".contains($0) }.map(String.init))
      )
    }
  }

  @Test("every import of a source file stands in its target's row")
  func importsStandInTheTable() throws {
    let rows = try Self.table()
    try #require(rows.count > 10)
    for (name, allowed) in rows {
      for (file, imports) in try Self.imports(of: name) {
        let extra = imports.subtracting(allowed).subtracting(Self.system).subtracting(Self.external[name] ?? [])
        #expect(extra.isEmpty, "\(file) imports \(extra.sorted()), which the row of \(name) does not list")
      }
    }
  }

  @Test("a target imports only rows above its own, so the table is a directed acyclic graph")
  func importsPointUpwards() throws {
    var above: Set<String> = [
      "CKernels", "COpenBLAS", "CFFmpeg", "CSentencePiece", "CZlib", "CCSV", "CCrypto", "CSQLite", "CMPI",
    ]
    for (name, imports) in try Self.table() {
      #expect(imports.subtracting(above).isEmpty, "\(name) imports rows below its own: \(imports.subtracting(above))")
      above.insert(name)
    }
  }

  @Test("every folder of sources has a row")
  func foldersHaveRows() throws {
    let listed = Set(try Self.table().map(\.name)).union([
      "CKernels", "COpenBLAS", "CFFmpeg", "CSentencePiece", "CZlib", "CCSV", "CCrypto", "CSQLite", "CMPI",
      "COpenMPI", "vap",
    ])
    let folders = try FileManager.default.contentsOfDirectory(
      atPath: Self.root.appendingPathComponent("Sources").path)
    #expect(Set(folders) == listed)
  }

  @Test("the executable holds nothing but its entry point")
  func executableIsThin() throws {
    let files = try Self.imports(of: "vap")
    #expect(files.count == 1)
    #expect(files.first?.imports == ["Commands"])
  }

  @Test("the domain parts do not know each other")
  func domainPartsAreSeparate() throws {
    let parts: Set<String> = [
      "Tokenizers", "Media", "Encoders", "Autoencoders", "VideoTransformers", "Schedulers",
    ]
    for (name, imports) in try Self.table() where parts.contains(name) {
      #expect(imports.isDisjoint(with: parts), "\(name) imports \(imports.intersection(parts))")
    }
  }

  private static func imports(of target: String) throws -> [(file: String, imports: Set<String>)] {
    let folder = root.appendingPathComponent("Sources/\(target)")
    let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
    let line = try Regex(
      #"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|private)\s+)?import\s+(?:(?:struct|class|enum|func|var|let|protocol|typealias)\s+)?(\w+)"#,
      as: (Substring, Substring).self
    ).anchorsMatchLineEndings()
    return try files.map { file in
      let text = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
      return ("\(target)/\(file)", Set(text.matches(of: line).map { String($0.output.1) }))
    }
  }
}
