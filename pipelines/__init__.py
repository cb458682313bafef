"""The stages of a run and the engines that execute them: one public function per command."""
