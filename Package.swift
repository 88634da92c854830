// swift-tools-version: 6.1
import Foundation
import PackageDescription

// Every target stands in one row of this table with the targets it may import; `ArchitectureTests` holds the sources
// to it. Rows are ordered by layer: a target imports only rows above its own.
struct Row {
  let name: String
  let imports: [String]
  var packages: [Target.Dependency] = []
  /// Files that become constants of the program, which so needs no folder beside it.
  var embedded: [String] = []
  /// Folders that are copied beside the program.
  var copied: [String] = []
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let flyingFox = ["FlyingFox", "FlyingSocks"].map { Target.Dependency.product(name: $0, package: "FlyingFox") }
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

/// Targets that are used only with a trait of the package.
let traits = ["CMPI": "MPI"]

let rows: [Row] = [
  // What a process needs of its machine, and how to compute on bytes.
  Row(name: "Runtime", imports: ["CCrypto"]),
  Row(name: "Compute", imports: ["Runtime", "CKernels", "COpenBLAS"]),
  // Tensors, files of tensors, parameters and layers.
  Row(name: "Tensors", imports: ["Compute"]),
  Row(name: "Checkpoints", imports: ["Tensors", "Compute", "Runtime"]),
  Row(name: "Layers", imports: ["Checkpoints", "Tensors", "Compute", "Runtime"]),
  // Domain parts; they do not know each other.
  Row(name: "Tokenizers", imports: ["CSentencePiece", "CZlib", "Checkpoints", "Runtime"]),
  Row(name: "Media", imports: ["CFFmpeg", "Runtime", "Compute", "Tensors"]),
  Row(name: "Encoders", imports: ["Layers", "Checkpoints", "Tensors", "Compute", "Runtime"]),
  Row(name: "Autoencoders", imports: ["Layers", "Checkpoints", "Tensors", "Compute", "Runtime"]),
  Row(name: "VideoTransformers", imports: ["Layers", "Checkpoints", "Tensors", "Compute", "Runtime"]),
  Row(name: "Schedulers", imports: ["Checkpoints", "Tensors", "Compute", "Runtime"]),
  Row(name: "Datasets", imports: ["CCSV", "Media", "Checkpoints", "Tensors", "Compute", "Runtime"]),
  // What reports are written with.
  Row(name: "Pages", imports: ["Media", "Runtime"], embedded: ["Page/page.css", "Page/page.js"]),
  // A trained pipeline that the program brings along.
  Row(name: "EmbeddedModels", imports: ["Runtime"], copied: ["mini"]),
  // Assembled systems.
  Row(
    name: "Backbones",
    imports: [
      "VideoTransformers", "Autoencoders", "Encoders", "Schedulers", "Tokenizers", "Media", "Layers", "Checkpoints",
      "Tensors", "Compute", "Runtime",
    ]),
  // What a user runs.
  Row(
    name: "Training",
    imports: [
      "CMPI", "Datasets", "Backbones", "Pages", "Media", "Layers", "Checkpoints", "Tensors", "Compute", "Runtime",
    ]),
  Row(
    name: "Generation",
    imports: ["Backbones", "Schedulers", "Media", "Layers", "Checkpoints", "Tensors", "Compute", "Runtime"]),
  Row(
    name: "Evaluation",
    imports: [
      "Generation", "Backbones", "Datasets", "Schedulers", "Encoders", "Tokenizers", "Pages", "Media", "Layers",
      "Checkpoints", "Tensors", "Compute", "Runtime",
    ]),
  Row(name: "Judging", imports: ["Evaluation", "Media", "Checkpoints", "Runtime"]),
  Row(
    name: "Study", imports: ["CSQLite", "Evaluation", "Media", "Compute", "Runtime"], packages: flyingFox,
    embedded: ["Page/study.css", "Page/study.html", "Page/study.js"]),
  Row(
    name: "Demonstration",
    imports: ["Evaluation", "Generation", "Backbones", "Datasets", "Pages", "Media", "Compute", "Runtime"]),
  Row(
    name: "Verification",
    imports: [
      "Evaluation", "Generation", "Training", "Backbones", "VideoTransformers", "Autoencoders", "Encoders",
      "Schedulers",
      "Tokenizers", "Media", "Layers", "Checkpoints", "Tensors", "Compute", "Runtime",
    ]),
  Row(
    name: "Benchmarks",
    imports: [
      "Evaluation", "Backbones", "VideoTransformers", "Autoencoders", "Encoders", "Layers", "Checkpoints", "Tensors",
      "Compute", "Runtime",
    ]),
  // The command line.
  Row(
    name: "Commands",
    imports: [
      "Study", "Judging", "Demonstration", "Evaluation", "Generation", "Training", "Verification", "Benchmarks",
      "Datasets", "Backbones", "EmbeddedModels", "Schedulers", "Autoencoders", "Pages", "Media", "Layers",
      "Checkpoints", "Tensors", "Compute", "Runtime",
    ],
    packages: [argumentParser, yams]),
]

let testSupport = "TestSupport"

func dependency(on name: String) -> Target.Dependency {
  .target(name: name, condition: traits[name].flatMap { .when(traits: [$0]) })
}

let swiftTargets: [Target] = rows.map { row in
  .target(
    name: row.name, dependencies: row.imports.map(dependency) + row.packages,
    resources: row.embedded.map { .embedInCode($0) } + row.copied.map { .copy($0) })
}

/// Targets with tests of their own, in `Tests/<name>Tests`.
let tested = [
  "Autoencoders", "Backbones", "Checkpoints", "Commands", "Compute", "Datasets", "Encoders", "Evaluation", "Generation",
  "Judging", "Layers", "Media", "Pages", "Runtime", "Schedulers", "Study", "Tensors", "Tokenizers", "Training",
  "Verification", "VideoTransformers",
]

let testTargets: [Target] = rows.filter { tested.contains($0.name) }.map { row in
  .testTarget(
    name: "\(row.name)Tests", dependencies: ([row.name, testSupport] + row.imports).map(dependency))
}

let package = Package(
  name: "vap",
  products: [.executable(name: "vap", targets: ["vap"])],
  traits: [
    .trait(name: "MPI", description: "Training on several processes and machines; needs Open MPI (libopenmpi-dev).")
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    .package(url: "https://github.com/swhitty/FlyingFox", exact: "0.27.1"),
  ],
  targets: [
    // Row kernels are compiled for several instruction sets and chosen at run time, so one binary is both portable and
    // fast; -O3 also in debug builds, whose tests would take hours otherwise.
    .target(
      name: "CKernels",
      cSettings: [.unsafeFlags(["-O3", "-ffp-contract=fast", "-mprefer-vector-width=512", "-Wall", "-Wextra"])]),
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(
      name: "CFFmpeg", pkgConfig: "libavformat libavcodec libswscale libavutil",
      providers: [.apt(["libavformat-dev", "libavcodec-dev", "libswscale-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CCSV", providers: [.apt(["libcsv-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CSentencePiece", linkerSettings: [.linkedLibrary("sentencepiece")]),
    .systemLibrary(name: "COpenMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
    // Empty without the trait, and so built without Open MPI.
    .target(
      name: "CMPI", dependencies: [.target(name: "COpenMPI", condition: .when(traits: ["MPI"]))],
      cSettings: [.define("VAP_MPI", .when(traits: ["MPI"]))]),
    .executableTarget(name: "vap", dependencies: ["Commands"]),
    .target(
      name: testSupport, dependencies: ["Checkpoints", "Tensors", "Compute", "Runtime"],
      path: "Tests/TestSupport"),
  ] + swiftTargets + [
    .testTarget(name: "ArchitectureTests")
  ] + testTargets,
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
