"""Field accuracy: generated clips of animals in scenes, and what a bundle makes of them.

    ClipSettings + a scene + cut-outs --generate--> frames with true boxes --> regions, classifier --> figures

Scenes and cut-outs come from any two folders; ``renderings`` draws both for tests.
"""
