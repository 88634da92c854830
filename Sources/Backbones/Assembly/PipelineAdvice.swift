/// Advice that may lie in a pipeline's folder on how its videos are best made: a YAML file with some keys of
/// `vap generate`'s settings.
package enum PipelineAdvice {
  package static let fileName = "generation.yaml"

  /// Of a miniature. It learns without guidance, from captions that say nothing or all, and predicts most of a video in its
  /// first step.
  static let miniature = """
    # How videos of this pipeline are best made; command lines and settings files win.
    steps: 20
    guidance: 1
    fps: 8
    negative-prompt: ""
    note: this model knows nothing but the small world of `vap data synthesize`; other videos and pictures are scaled to its
      size and followed loosely

    """
}
